"""Calls without markers: an answer that is one, and what is only quoted."""

from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, fold

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "search",
            "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
        },
    }
]
CALL = '{"name": "search", "arguments": {"q": "x"}}'
PARSERS = ["hermes", "qwen3_coder", "glm45", "auto", "mistral", "kimi_k2"]


def read(name: str, text: str, reasoning: str | None = None, **options: Any) -> Completion:
    answers = []
    for pieces in ([text], list(text), [text[: len(text) // 2], text[len(text) // 2 :]]):
        parser = OutputParser(name, reasoning, TOOLS, new_id=lambda tool, index: f"{tool}{index}", **options)
        answers.append(fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=TOOLS))
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("reasoning", [None, "auto"])
@pytest.mark.parametrize("recover", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"\n{CALL}\n",
        CALL.replace("arguments", "parameters"),
        f"[{CALL}]",
        f"<tools>\n{CALL}\n</tools>",
        f"```json\n{CALL}\n```",
        f"```\n{CALL}\n```\n",
    ],
)
def test_an_answer_that_is_a_bare_call_is_a_call(name: str, reasoning: str | None, recover: bool, text: str) -> None:
    answer = read(name, text, reasoning, recover=recover)
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("search", {"q": "x"})]
    assert answer.text.strip() == ""


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("reasoning", [None, "auto"])
@pytest.mark.parametrize(
    "text",
    [
        CALL.replace("search", "other"),
        CALL.replace('"x"', "1"),
        CALL[:-1],
        f"{CALL} would be a call.",
        f"Write {CALL}",
        '{"a": 1}',
        "[1, 2]",
        "```python\nprint()\n```",
        "{ not json",
        "<tools> are",
    ],
)
def test_any_other_json_is_text(name: str, reasoning: str | None, text: str) -> None:
    answer = read(name, text, reasoning)
    assert (answer.tool_calls, answer.invalid_tool_calls, answer.text) == ((), (), text)


def test_a_bare_call_follows_reasoning() -> None:
    answer = read("hermes", f"<think>Hm.</think>\n\n{CALL}", "auto")
    assert [call.name for call in answer.tool_calls] == ["search"]
    assert read("hermes", f"{CALL}\nno.</think>Hi.", "auto").tool_calls == ()


BARE = [
    ("llama3_json", CALL.replace("arguments", "parameters")),
    ("pythonic", "[search(q='x')]"),
    ("xlam", f"[{CALL}]"),
]


@pytest.mark.parametrize(("name", "call"), BARE)
def test_a_bare_call_stands_at_the_start_of_a_line(name: str, call: str) -> None:
    for text in (call, f"Let me look.\n\n{call}", f"  {call}"):
        assert [one.name for one in read(name, text).tool_calls] == ["search"]
    for text in (f"For example {call} is a call.", f"Write `{call}`.", f"So:\n```json\n{call}\n```\nThat is all."):
        answer = read(name, text)
        assert (answer.tool_calls, answer.text) == ((), text)


PING = {"type": "function", "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "ping", "description": "Return pong."}',
        '[{"name": "ping", "description": "Return pong."}]',
        '{"name": "ping", "parameters": {"type": "object", "properties": {}}}',
    ],
)
def test_a_definition_of_a_tool_is_not_a_call_of_it(name: str, text: str) -> None:
    for pieces in ([text], list(text)):
        parser = OutputParser(name, None, [PING])
        answer = fold([d for piece in pieces for d in parser.push(piece)] + parser.finish(), tools=[PING])
        assert (answer.text, answer.tool_calls, answer.invalid_tool_calls) == (text, (), ())


def test_a_recovered_block_that_is_not_a_call_keeps_its_text() -> None:
    text = '<tool_call>{"name": "ping", "x": "secret"}</tool_call>'
    parser = OutputParser("hermes", None, [PING], recover=True)
    answer = fold(parser.push(text) + parser.finish(), tools=[PING])
    assert (answer.text, answer.tool_calls, answer.invalid_tool_calls) == (text, (), ())
