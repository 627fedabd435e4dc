"""Tool-call ids as Mistral's templates require them: nine letters and digits.

The history of another model has ids such as `call_0a1b`, and the server answers `Tool call IDs should be alphanumeric
strings with length 9!`. Such an id becomes nine digits of its hash, the same on every turn; a valid one stays.
Source: the chat templates of mistralai.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

__all__ = ["shorten_tool_call_ids"]

Message = dict[str, Any]
LENGTH = 9


def shorten_tool_call_ids(messages: Sequence[Message]) -> list[Message]:
    """Replace the ids of calls and their results by nine letters and digits.

    Args:
        messages: Wire messages; they are not changed.
    """
    return [_short(message) for message in messages]


def _short(message: Message) -> Message:
    if message.get("tool_calls"):
        return {**message, "tool_calls": [{**call, "id": _id(call.get("id"))} for call in message["tool_calls"]]}
    return {**message, "tool_call_id": _id(message["tool_call_id"])} if "tool_call_id" in message else message


def _id(given: Any) -> str:
    text = str(given or "")
    fits = len(text) == LENGTH and text.isascii() and text.isalnum()
    return text if fits else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
