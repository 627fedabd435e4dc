"""Damaged texts: everything that the model wrote is in the answer, and no call contains arguments of another."""

import random
from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, fold

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, ONE_CALL, TAG_FORMATS, Call, Render
from tests.fuzzing import FACTOR

RENDERERS: dict[str, Render] = {**JSON_FORMATS, **TAG_FORMATS, **ONE_CALL, **ELEMENTS}
KINDS = {"alpha": "string", "beta": "string", "gamma": "array", "delta": "object"}
NAMES = ["get_weather", "send_mail"]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {key: {"type": kind} for key, kind in KINDS.items()}},
        },
    }
    for name in NAMES
]


class Words:
    """A source of unique words."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def new(self) -> str:
        self.all.append(f"ZQ{len(self.all):02d}X")
        return self.all[-1]


def arguments(source: random.Random, words: Words) -> dict[str, Any]:
    made: dict[str, Any] = {
        "alpha": words.new() + source.choice([" ", " \n", "<b>", '"']) + words.new(),
        "beta": words.new(),
        "gamma": [words.new(), words.new()],
        "delta": {"k": words.new()},
    }
    return {key: value for key, value in made.items() if source.random() < 0.6}


def damaged(source: random.Random, text: str) -> str:
    for _ in range(source.randint(1, 3)):
        at = source.randrange(len(text))
        kind = source.randrange(4)
        if kind < 2:
            text = text[:at] + text[at + 1 :]
        elif kind == 2:
            text = text[:at] + source.choice('<>{}[]"|/\\,: \n=') + text[at:]
        else:
            text = text[:at] + text[at + source.randint(1, 12) :]
    return text[: source.randrange(len(text))] if source.random() < 0.2 else text


def parse(name: str, text: str, tools: list[dict[str, Any]] | None) -> Completion:
    answers = []
    for pieces in ([text], list(text)):
        parser = OutputParser(name, None, tools, new_id=lambda tool, index: f"{tool}{index}")
        deltas = [delta for piece in pieces for delta in parser.push(piece)]
        answers.append(fold([*deltas, *parser.finish()], tools=tools))
    assert answers[0] == answers[1], text
    return answers[0]


def content_of(answer: Completion) -> str:
    """Return everything that is in an answer."""
    sound = [f"{call.name} {call.arguments}" for call in answer.tool_calls]
    return " ".join([answer.text, *sound, *(f"{call.name} {call.arguments}" for call in answer.invalid_tool_calls)])


@pytest.mark.parametrize("name", RENDERERS)
@pytest.mark.parametrize("tools", [TOOLS, None], ids=["known", "unknown"])
def test_no_word_disappears(name: str, tools: list[dict[str, Any]] | None) -> None:
    source = random.Random(name)  # noqa: S311 - texts, not secrets
    for _ in range(60 * FACTOR):
        words = Words()
        count = source.randint(1, 1 if name in ONE_CALL else 3)
        calls: list[Call] = [(source.choice(NAMES), arguments(source, words)) for _ in range(count)]
        text = damaged(source, f"{words.new()} {RENDERERS[name](calls)} {words.new()}")
        answer = parse(name, text, tools)
        content = content_of(answer)
        assert [word for word in words.all if word in text and word not in content] == [], text


def test_no_word_disappears_in_auto_detection() -> None:
    source = random.Random(1)  # noqa: S311 - texts, not secrets
    for name in [*RENDERERS] * (6 * FACTOR):
        words = Words()
        calls: list[Call] = [(source.choice(NAMES), arguments(source, words)) for _ in range(2)]
        text = damaged(source, f"{words.new()} {RENDERERS[name](calls)} {words.new()}")
        content = content_of(parse("auto", text, TOOLS))
        assert [word for word in words.all if word in text and word not in content] == [], text


HEADERS = [
    (
        "kimi_k2",
        (
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|toll_call_argument_begin|>{A}<|tool_call_end|>"
            "<|tool_call_begin|>functions.g:1<|tool_call_argument_begin|>{B}<|tool_call_end|><|tool_calls_section_end|>"
        ),
    ),
    (
        "openai",
        (
            "<|channel|>commentary to=functions.f <|constrain|>json<|mesage|>{A}<|call|><|start|>assistant"
            "<|channel|>commentary to=functions.g <|constrain|>json<|message|>{B}<|call|>"
        ),
    ),
    ("mistral", "[TOOL_CALLS]f[ARG][TOOL_CALLS]g[ARGS]{B}"),
    ("mistral", "[TOOL_CALLS]f[CALL_ID]a b[ARGS]{B}"),
    (
        "deepseek_v31",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁se｜>{A}<｜tool▁call▁end｜><｜tool▁call▁begin｜>g<｜tool▁sep｜>{B}",
    ),
]


@pytest.mark.parametrize(("name", "text"), HEADERS)
def test_a_header_does_not_run_on_into_the_next_call(name: str, text: str) -> None:
    whole = text.replace("{A}", '{"x": "first"}').replace("{B}", '{"x": "second"}')
    for pieces in ([whole], list(whole)):
        parser = OutputParser(name)
        answer = fold([delta for piece in pieces for delta in parser.push(piece)] + parser.finish())
        assert [call for call in answer.tool_calls if call.name == "f"] == []
        assert all(len(call.id) < 40 for call in answer.tool_calls)
        content = content_of(answer)
        assert ("first" in content, "second" in content) == ("first" in whole, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gemma4", '<|tool_call>call:f{a:{k:<|"|X<|"|>}}<tool_call|><|tool_call>call:g{b:<|"|>Y<|"|>}<tool_call|>'),
        ("gemma4", '<|tool_call>call:f{a:"|>X<|"|>}<tool_call|><|tool_call>call:g{b:<|"|>Y<|"|>}<tool_call|>'),
        (
            "functiongemma",
            (
                "<start_function_call>call:f{a:<ecape>X<escape>}<end_function_call>"
                "<start_function_call>call:g{b:<escape>Y<escape>}<end_function_call>"
            ),
        ),
    ],
)
def test_a_damaged_quote_invalidates_the_call(name: str, text: str) -> None:
    answer = parse(name, text, None)
    assert [call for call in answer.tool_calls if call.name == "f"] == []
    content = content_of(answer)
    assert "X" in content
    assert "Y" in content


def test_a_remainder_never_makes_the_arguments_look_complete() -> None:
    """A reader of streamed arguments must not find an object that ends while the call does not."""
    for text in (
        '<tool_call>{"name": "f", "arguments": {"x": 1}',
        '<tool_call>{"name": "f", "arguments": {"x": 1} ',
        '<tool_call>{"name": "f", "arguments": {"x": 1}\n</tool_call>',
    ):
        (call,) = parse("hermes", text, None).invalid_tool_calls
        assert call.arguments == '{"x": 1'
