"""Calls that are held back until it is known what they are."""

from typing import Any

import pytest
from vllm_connect import Delta, OutputParser, fold

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "ping", "parameters": {"type": "object", "properties": {}}}},
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
        },
    },
]


def recovered(text: str, *, truncated: bool = False) -> tuple[list[tuple[str, str]], str]:
    """Return the calls that are recovered from a text, and the text that is left."""
    parser = OutputParser("hermes", tools=TOOLS, recover=True)
    deltas: list[Delta] = [*parser.push(text), *parser.finish(truncated=truncated)]
    answer = fold(deltas, tools=TOOLS)
    assert answer.invalid_tool_calls == ()
    return [(call.name, call.arguments) for call in answer.tool_calls], answer.text


@pytest.mark.parametrize("call", ['{"name": "ping"}', '{"name": "ping", "arguments": {}}'])
def test_a_call_without_arguments_is_recovered(call: str) -> None:
    assert recovered(f"<tool_call>{call}</tool_call>") == ([("ping", "{}")], "")


def test_a_call_without_arguments_that_are_required_is_not_recovered() -> None:
    text = '<tool_call>{"name": "f"}</tool_call>'
    assert recovered(text) == ([], text)


def test_a_call_that_has_not_ended_stays_in_the_reasoning() -> None:
    text = '<think>\nHm.\n<tool_call>{"name": "ping", "arguments": {}'
    parser = OutputParser("hermes", "qwen3", TOOLS)
    answer = fold([*parser.push(text), *parser.finish()], tools=TOOLS)
    assert (answer.tool_calls, answer.invalid_tool_calls) == ((), ())
    assert answer.reasoning == text.removeprefix("<think>\n")
    ended = OutputParser("hermes", "qwen3", TOOLS)
    answer = fold([*ended.push(f"{text}}}</tool_call>"), *ended.finish()], tools=TOOLS)
    assert [call.name for call in answer.tool_calls] == ["ping"]
