"""An answer as a value, and what is checked of it whoever received it.

```
HTTP/1.1 200 OK
content-type: text/event-stream
transfer-encoding: chunked

data: {…}
```

Source: RFC 9110 and RFC 9112.
"""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from vllm_connect.errors import ProtocolError
from vllm_connect.protocol.sse import EVENT_STREAM
from vllm_connect.transport.error_mapping import Place
from vllm_connect.transport.framing import MAX_BODY_BYTES, Gzip, Limit
from vllm_connect.transport.heads import FIRST_FINAL_STATUS

__all__ = ["GRACE", "AsyncReply", "Body", "Head", "Reply", "read_head"]

GRACE = 0.05
"""Seconds to wait for the end of a body of which nothing more is wanted, so that its connection can be kept."""
REDIRECTS = range(300, 400)
WITHOUT_ANSWER = (204, 205, 206)


class Head(Struct, frozen=True):
    """What an answer begins with.

    Attributes:
        status: The status, `200`.
        headers: The headers, their names in lower case; equal names are joined by a comma.
    """

    status: int
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, where it gave one."""
        return self.headers.get("x-request-id")

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events."""
        return self.status == FIRST_FINAL_STATUS and self.headers.get("content-type", "").startswith(EVENT_STREAM)


class _Answer(Protocol):
    """The head of an answer, which every kind of answer has."""

    @property
    def status(self) -> int:
        """The status, `200`."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, their names in lower case."""

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, where it gave one."""


class Reply(_Answer, Protocol):
    """An answer; iterating yields its decoded body, each piece all that has come since the last."""

    def __iter__(self) -> Iterator[bytes]: ...


class AsyncReply(_Answer, Protocol):
    """An answer; iterating yields its decoded body, each piece all that has come since the last."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


def read_head(status: int, headers: Iterable[tuple[str, str]], place: Place) -> Head:
    """Take the head of an answer, and start the timer of its body.

    Args:
        status: The status.
        headers: The headers.
        place: Where the call is.

    Returns:
        The head.

    Raises:
        ProtocolError: It is a redirect, or announces a body that is no answer.
    """
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    head = Head(status, joined)
    at = place.route.place
    if status in REDIRECTS:
        target = _target(joined.get("location", ""))
        raise ProtocolError(
            f"{at} redirects to {target}, and redirects are not followed, since they would carry the key and the "
            "prompt there: set base_url to the server itself",
            code="redirect",
            status=status,
        )
    if status < FIRST_FINAL_STATUS or status in WITHOUT_ANSWER:
        raise ProtocolError(
            f"{at} answered {status}, which carries no answer: is it vLLM, or is a proxy between?", status=status
        )
    encoding = joined.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise ProtocolError(
            f"{at} answered in the encoding {encoding[:40]!r}, which nobody asked for: look for a proxy between",
            code="bad_encoding",
            status=status,
        )
    place.phase = "body"
    place.deadlines.headers_received(time.monotonic(), streaming=head.is_stream)
    return head


def _target(location: str) -> str:
    """Name where a redirect leads, without its credentials and query."""
    try:
        url = urlsplit(location)
        host = url.hostname or ""
    except ValueError:
        return "nowhere that can be read"
    if not location:
        return "nowhere (it has no Location)"
    shown = f"{url.scheme}://{host}" if host else url.path
    return "".join(c if c.isprintable() else "?" for c in shown[:200])


class Body:
    """Unpacks and counts a body.

    Args:
        head: The head of the answer.
        place: Where the call is.
    """

    def __init__(self, head: Head, place: Place) -> None:
        self._limit = None if head.is_stream else Limit(MAX_BODY_BYTES)
        self._gzip = Gzip() if head.headers.get("content-encoding", "").strip().lower() == "gzip" else None
        self._place = place

    def unpack(self, data: bytes) -> Iterable[bytes]:
        """Turn what was received into pieces of the body.

        Raises:
            ProtocolError: It is too large, or not packed as it claims to be.
        """
        if self._gzip is None:
            return ((self._limit.take(data) if self._limit else data),) if data else ()
        pieces = self._gzip.feed(data)
        return map(self._limit.take, pieces) if self._limit else pieces

    def end(self) -> None:
        """Take the end of what was received.

        Raises:
            TransportError: The packed bytes end too soon.
        """
        if self._gzip is not None and not self._gzip.complete():
            raise self._place.cut("the packed body ended too soon")
