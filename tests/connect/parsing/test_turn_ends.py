"""Special tokens that end a turn are markup at the end of a text, and text anywhere else."""

from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, fold
from vllm_connect.parsing.markers import TURN_ENDS

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, ONE_CALL, TAG_FORMATS

RENDERERS = {**JSON_FORMATS, **TAG_FORMATS, **ONE_CALL, **ELEMENTS}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {"name": "f", "parameters": {"properties": {"x": {"type": "integer"}, "s": {"type": "string"}}}},
    }
]


def read(name: str | None, text: str, reasoning: str | None = None, **options: Any) -> Completion:
    answers = []
    for pieces in ([text], list(text), [text[: len(text) // 2], text[len(text) // 2 :]]):
        parser = OutputParser(name, reasoning, TOOLS, new_id=lambda tool, index: f"{tool}{index}", **options)
        answers.append(fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=TOOLS))
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


@pytest.mark.parametrize("end", TURN_ENDS)
@pytest.mark.parametrize("name", [None, "auto", "pythonic"])
def test_at_the_end_of_a_text_it_is_markup(name: str | None, end: str) -> None:
    for after in ("", "\n", end, f"\n{end}\n"):
        assert read(name, f"Hello.{end}{after}") == Completion(text="Hello.")
    assert read(name, end) == Completion()


@pytest.mark.parametrize("end", [one for one in TURN_ENDS if one != "<|user|>"])
@pytest.mark.parametrize("name", ["auto", "xlam"])
def test_within_a_text_it_is_text(name: str, end: str) -> None:
    for text in (f"`{end}` ends a turn.", f"A turn\n{end}\n{end} ends.", f"{end}{end[:3]}", f'print("{end}")'):
        assert read(name, text) == Completion(text=text)


@pytest.mark.parametrize("name", [name for name in RENDERERS if name != "openai"])
@pytest.mark.parametrize("end", ["<|im_end|>", "</s>", "<|eot_id|>\n"])
def test_after_a_call_it_is_markup(name: str, end: str) -> None:
    calls = [("f", {"x": 1})]
    answer = read(name, RENDERERS[name](calls) + end)
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == calls
    assert answer.text.strip() == ""


@pytest.mark.parametrize("name", ["qwen3_coder", "glm45", "deepseek_v32"])
def test_in_a_value_it_is_text(name: str) -> None:
    calls = [("f", {"s": "a <|im_end|> b</s>"})]
    answer = read(name, RENDERERS[name](calls))
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == calls


@pytest.mark.parametrize("starts", [None, True])
def test_at_the_end_of_reasoning_it_is_markup(starts: bool | None) -> None:
    answer = read("kimi_k2", "Hello.<|im_end|>", "kimi_k2", starts_in_reasoning=starts)
    assert (answer.reasoning + answer.text, bool(answer.reasoning)) == ("Hello.", bool(starts))
    answer = read("hermes", "<think>Is `<|im_end|>` one?\n<|im_end|>", "qwen3")
    assert answer == Completion(reasoning="Is `<|im_end|>` one?")


@pytest.mark.parametrize("reasoning", ["qwen3", "auto"])
def test_a_call_that_ends_a_reasoning_may_be_followed_by_it(reasoning: str) -> None:
    call = RENDERERS["hermes"]([("f", {"x": 1})])
    answer = read("hermes", f"<think>Hm. {call}<|im_end|>", reasoning)
    assert ([one.name for one in answer.tool_calls], answer.reasoning, answer.text) == (["f"], "Hm.", "")


def test_a_fenced_call_may_be_followed_by_it() -> None:
    answer = read("hermes", '```json\n{"name": "f", "arguments": {"x": 1}}\n```<|im_end|>')
    assert ([one.name for one in answer.tool_calls], answer.text) == (["f"], "")
