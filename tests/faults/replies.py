"""What vLLM says when nothing is wrong, in pieces to be put together wrongly.

`whole("Hi")` is the body of an answer, `piece(content="Hi")` one chunk of a stream.
"""

from typing import Any

__all__ = ["call", "error", "piece", "whole"]

HEAD = {"id": "chatcmpl-1", "created": 1, "model": "demo"}


def piece(finish: str | None = None, *, index: int = 0, **delta: Any) -> dict[str, Any]:
    """Write one chunk of a stream."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}


def whole(content: Any = "", finish: str = "stop", **message: Any) -> dict[str, Any]:
    """Write a whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": usage}


def call(arguments: Any, name: Any = "f", *, index: Any = 0, id_: Any = "call_a") -> dict[str, Any]:
    """Write one tool call, whole or a piece of it."""
    return {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def error(message: str = "engine died", code: int = 500) -> dict[str, Any]:
    """Write an error."""
    return {"error": {"message": message, "type": "InternalServerError", "param": None, "code": code}}
