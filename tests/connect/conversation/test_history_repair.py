"""Notes on repairs: they name calls, and show little of an id that a model chose."""

from typing import Any

import pytest
from vllm_connect.conversation.history_repair import repair_history

LONG = "z" * 200


def call(arguments: str) -> dict[str, Any]:
    return {"id": LONG, "type": "function", "function": {"name": "f", "arguments": arguments}}


def result(tool_call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": tool_call_id, "content": "1"}


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([result(LONG)], "has no call before it"),
        ([{"role": "assistant", "tool_calls": [call("{}")]}, {"role": "user", "content": "?"}], "has no result"),
        (
            [{"role": "assistant", "tool_calls": [call("{}")]}, {"role": "user", "content": "?"}, result(LONG)],
            "came late",
        ),
        ([{"role": "assistant", "tool_calls": [call("{")]}, result(LONG)], "are not a JSON object"),
    ],
)
def test_a_note_shows_the_beginning_of_an_id(messages: list[dict[str, Any]], problem: str) -> None:
    _, (note,) = repair_history(messages)
    assert problem in note
    assert note.count("z") == 64
