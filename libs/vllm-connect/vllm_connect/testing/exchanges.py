"""Requests and answers as values: `Answer.json({"version": "0.32.0"})`, `Answer.events([…])`, `Answer.error(503)`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from vllm_connect.protocol.sse import EVENT_STREAM

__all__ = ["JSON", "Answer", "Asked", "Recording", "Size", "encoded", "pieces"]

JSON = "application/json"

Size: TypeAlias = Literal["events", "whole"] | int
"""How much of a stream is sent at once: an event, everything, or that many bytes."""


@dataclass(frozen=True)
class Asked:
    """A request as it was received.

    Attributes:
        method: `GET` or `POST`.
        path: The path with its query.
        body: The JSON body, None where there was none.
        headers: The headers, names in lower case; a cassette has none.
    """

    method: str
    path: str
    body: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        body: The bytes of the body, of a stream too.
        status: The HTTP status.
        content_type: The media type; `text/event-stream` is sent in pieces.
        cut: Whether the connection is closed before the end of the body, as by a server that crashes.
    """

    body: bytes = field(default=b"", repr=False)
    status: int = 200
    content_type: str = JSON
    cut: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200) -> "Answer":
        """Build an answer with a JSON value."""
        return cls(encoded(value), status)

    @classmethod
    def events(cls, values: Sequence[Any], *, done: bool = True, cut: bool = False) -> "Answer":
        """Build an answer that is a stream.

        Args:
            values: The JSON value of each event.
            done: End the stream with `[DONE]`.
            cut: Whether the connection is closed before the end.
        """
        lines = [*(encoded(value) for value in values), *([b"[DONE]"] if done else [])]
        return cls(b"".join(b"data: %b\n\n" % line for line in lines), content_type=EVENT_STREAM, cut=cut)

    @classmethod
    def error(cls, status: int, message: str = "scripted", kind: str = "ScriptedError") -> "Answer":
        """Build an answer with an error in vLLM's form."""
        return cls.json({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)


@dataclass(frozen=True)
class Recording:
    """A request and what a real server answered."""

    asked: Asked
    answer: Answer


def pieces(answer: Answer, size: Size) -> Iterator[bytes]:
    """Split the body of an answer.

    Args:
        answer: The answer.
        size: How much of a stream is sent at once; anything else stays whole where it is "events".
    """
    if isinstance(size, int):
        yield from (answer.body[at : at + size] for at in range(0, len(answer.body), size))
    elif size == "whole" or answer.content_type != EVENT_STREAM:
        yield answer.body
    else:
        *events, rest = answer.body.split(b"\n\n")
        yield from (event + b"\n\n" for event in events)
        yield rest


def encoded(value: Any) -> bytes:
    """Encode JSON as vLLM does."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
