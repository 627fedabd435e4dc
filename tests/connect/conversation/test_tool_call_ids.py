"""Ids in the form that a template requires."""

from typing import Any

import pytest
from vllm_connect.conversation.tool_call_ids import number_tool_call_ids, shorten_tool_call_ids


def result(tool_call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": tool_call_id, "content": "1"}


def calls(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": each, "function": {"name": "f"}} for each in ids]}


def ids_of(messages: list[dict[str, Any]]) -> list[str]:
    return [call["id"] for message in messages for call in message.get("tool_calls", ())]


@pytest.mark.parametrize("given", ["abcdefghi", "A1b2C3d4E"])
def test_an_id_of_nine_letters_and_digits_stays(given: str) -> None:
    for messages in ([result(given)], [calls(given), result(given)]):
        assert shorten_tool_call_ids(messages) == messages


@pytest.mark.parametrize("given", ["", "call_0a1b", "abcdefgh", "abcdefghij", "abc-efghi", "äbcdefghi"])
def test_any_other_id_is_replaced_alike_in_calls_and_results(given: str) -> None:
    called, answered = shorten_tool_call_ids([calls(given), result(given)])
    (short,) = ids_of([called])
    assert (len(short), short.isalnum(), answered["tool_call_id"]) == (9, True, short)
    assert shorten_tool_call_ids([result(given)])[0]["tool_call_id"] == short


def test_numbers_go_through_the_conversation_and_numbered_ids_stay() -> None:
    messages = [calls("a", "functions.f:7"), result("a"), calls("b"), result("b"), result("other")]
    numbered = number_tool_call_ids(messages)
    assert ids_of(numbered) == ["functions.f:0", "functions.f:7", "functions.f:2"]
    assert [m["tool_call_id"] for m in numbered if "tool_call_id" in m] == ["functions.f:0", "functions.f:2", "other"]
