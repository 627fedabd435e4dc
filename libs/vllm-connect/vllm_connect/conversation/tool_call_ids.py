"""Ids of tool calls as Mistral's templates want them: nine letters and digits.

A history of another model has ids such as `call_0a1b`, and `Tool call IDs should be alphanumeric strings with length 9!` is
all that the server says to it. Such an id becomes nine digits of its hash, the same on every turn; one that fits stays.
Source: the chat templates of mistralai.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

__all__ = ["shorten_tool_call_ids"]

Message = dict[str, Any]
LENGTH = 9


def shorten_tool_call_ids(messages: Sequence[Message]) -> list[Message]:
    """Make each id of a call nine letters and digits, and that of its result the same.

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
