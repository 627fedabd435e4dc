"""Tool-call ids in the form that a model's chat template requires.

A history of another model has ids such as `call_0a1b`. Mistral's templates answer `Tool call IDs should be alphanumeric
strings with length 9!`, and Kimi K2, whose template shows the ids to the model, was trained on `functions.search:0`. An id
that is not in the required form is replaced, the same way on every turn; a valid one stays.
Source: the chat templates of mistralai; the tool-use guide of moonshotai/Kimi-K2-Instruct.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["number_tool_call_ids", "shorten_tool_call_ids"]

Message = dict[str, Any]

LENGTH = 9
NUMBERED = re.compile(r"functions\.[^:\s]{1,256}:\d{1,9}")


def shorten_tool_call_ids(messages: Sequence[Message]) -> list[Message]:
    """Replace the ids of calls and their results by nine letters and digits.

    Args:
        messages: Wire messages; they are not changed.
    """
    ids = {}
    for call in _calls(messages):
        given = str(call.get("id") or "")
        ids[given] = given if _is_short(given) else _digest(given)
    results = {str(message.get("tool_call_id") or "") for message in messages if "tool_call_id" in message}
    ids.update({given: given if _is_short(given) else _digest(given) for given in results - ids.keys()})
    return _replaced(messages, ids)


def number_tool_call_ids(messages: Sequence[Message]) -> list[Message]:
    """Replace the ids of calls and their results by `functions.<name>:<number>`, numbered through the conversation.

    Args:
        messages: Wire messages; they are not changed.
    """
    ids: dict[str, str] = {}
    for number, call in enumerate(_calls(messages)):
        given = str(call.get("id") or "")
        if given not in ids:
            name = (call.get("function") or {}).get("name") or ""
            ids[given] = given if NUMBERED.fullmatch(given) else f"functions.{name}:{number}"
    return _replaced(messages, ids)


def _calls(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [call for message in messages for call in message.get("tool_calls") or ()]


def _replaced(messages: Sequence[Message], ids: dict[str, str]) -> list[Message]:
    out = []
    for message in messages:
        changed = message
        if calls := message.get("tool_calls"):
            renamed = [{**call, "id": ids[str(call.get("id") or "")]} for call in calls]
            changed = {**message, "tool_calls": renamed}
        if "tool_call_id" in message:
            given = str(message["tool_call_id"] or "")
            changed = {**changed, "tool_call_id": ids.get(given, given)}
        out.append(changed)
    return out


def _is_short(given: str) -> bool:
    return len(given) == LENGTH and given.isascii() and given.isalnum()


def _digest(given: str) -> str:
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
