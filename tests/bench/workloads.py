"""What the server of the benchmark sends, and the address that asks for it.

`/text/1000/10/1` is a stream of 1,000 text events, ten in each write, one millisecond between two writes; `/text/1000/0/0`
is the same in one piece. The bytes are those of a real vLLM: a chunk with the role first, finish and usage at the end.
"""

import json
from functools import lru_cache
from typing import Any, Literal, NamedTuple

__all__ = ["EVENTS_AROUND", "Kind", "Workload", "answer", "events"]

Kind = Literal["text", "reasoning", "tool", "unary"]

EVENTS_AROUND = 3
"""Events of a stream beside those that are counted: the role, the end, the usage."""

WORD = " token"
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 01:00:00 GMT\r\nserver: uvicorn\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)


class Workload(NamedTuple):
    """What is asked of the server.

    Attributes:
        kind: What the answer consists of.
        events: How many events, beside those around them.
        together: How many are written at once, 0 for all.
        pause: Milliseconds between two writes.
    """

    kind: Kind
    events: int = 1
    together: int = 0
    pause: int = 0

    def path(self) -> str:
        """Give the path that asks for it, to which clients append their own."""
        return f"/{self.kind}/{self.events}/{self.together}/{self.pause}"

    def size(self) -> int:
        """Count the characters of text."""
        return self.events * len(WORD) if self.kind in ("text", "unary") else 0


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _chunk(b"data: %s\n\n" % _json({**HEAD, "choices": [choice]}))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _call(arguments: str, **first: str) -> dict[str, Any]:
    call: dict[str, Any] = {"index": 0, "function": {"arguments": arguments}}
    if first:
        call |= {"id": first["id"], "type": "function"}
        call["function"]["name"] = first["name"]
    return {"tool_calls": [call]}


def events(kind: Kind, count: int) -> list[bytes]:
    """List the events of a stream, each as one HTTP chunk; the head of the answer stands before the first."""
    if kind == "reasoning":
        body = [_event({"reasoning": WORD})] * count
    elif kind == "tool":
        named, piece = _call("", id="call_1", name="look_up"), _event(_call(" word"))
        body = [_event(named), _event(_call('{"a": "')), *[piece] * (count - 3), _event(_call('"}'))]
    else:
        body = [_event({"content": WORD})] * count
    usage = _json({**HEAD, "choices": [], "usage": USAGE})
    return [
        STREAM_HEAD + _event({"role": "assistant", "content": ""}),
        *body,
        _event({}, "tool_calls" if kind == "tool" else "stop"),
        _chunk(b"data: %s\n\n" % usage) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n",
    ]


@lru_cache
def answer(workload: Workload) -> list[bytes]:
    """List the writes of an answer."""
    if workload.kind == "unary":
        message = {"role": "assistant", "content": WORD * workload.events}
        whole = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        body = _json({**HEAD, "object": "chat.completion", "choices": [whole], "usage": USAGE})
        return [
            b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 01:00:00 GMT\r\nserver: uvicorn\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        ]
    listed = events(workload.kind, workload.events)
    step = workload.together or len(listed)
    return [b"".join(listed[at : at + step]) for at in range(0, len(listed), step)]
