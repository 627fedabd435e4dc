"""A response as the client sees it: what is checked of its head, and how its body is decoded, whoever received it.

```
HTTP/1.1 200 OK
content-type: text/event-stream
transfer-encoding: chunked

data: {…}
```

`content-encoding: gzip` is the only encoding that requests accept. A small input may decompress to very much, so that a
piece is decompressed at most a megabyte at a time, and a body that is not a stream ends at 64 MiB.
Source: RFC 9110; RFC 1952.
"""

import time
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol
from urllib.parse import urlsplit

from vllm_connect.errors import ProtocolError, VllmError
from vllm_connect.protocol.sse import EVENT_STREAM
from vllm_connect.transport.error_mapping import Call
from vllm_connect.transport.http1 import ResponseHead

__all__ = [
    "GRACE",
    "MAX_BODY_BYTES",
    "READ_SIZE",
    "AsyncReply",
    "ContentDecoder",
    "Reply",
]

GRACE = 0.05
"""Seconds to wait for the end of a response of which nothing more is wanted, so that its connection can be kept."""
READ_SIZE = 65536
"""Bytes that a connection receives at once."""
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Largest decoded body that is not a stream."""
PIECE = 1024 * 1024
"""Most bytes that are decompressed at once."""
GZIP = 31
"""The window bits with which zlib expects gzip's header."""

OK = 200
REDIRECTS = range(300, 400)
WITHOUT_ANSWER = (204, 205, 206)


class ContentDecoder:
    """Decodes the pieces of one body.

    Args:
        encoding: `identity` or `gzip`.
        limit: The most decoded bytes, None for any number.
    """

    def __init__(self, encoding: str, limit: int | None) -> None:
        self._gzip = zlib.decompressobj(GZIP) if encoding == "gzip" else None
        self._limit = limit
        self._size = 0

    def decode(self, data: bytes) -> Iterable[bytes]:
        """Decode a piece.

        Args:
            data: The bytes as they were received, at least one.

        Returns:
            Pieces of limited size, so that the caller can stop.

        Raises:
            ProtocolError: The body is too large, or is not gzip; also while the pieces are read.
        """
        if self._gzip is None:
            return (self._bounded(data),)
        return map(self._bounded, self._decompressed(data))

    def is_complete(self) -> bool:
        """Check whether the compressed data, if there is any, came to its end."""
        return self._gzip is None or self._gzip.eof

    def _bounded(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._limit is not None and self._size > self._limit:
            raise ProtocolError(
                f"the server's answer is larger than {self._limit} bytes: ask for less, or for a stream",
                code="response_too_large",
            )
        return data

    def _decompressed(self, data: bytes) -> Iterator[bytes]:
        while data and self._gzip is not None:
            if self._gzip.eof:  # one member may follow another (RFC 1952, section 2.2)
                self._gzip = zlib.decompressobj(GZIP)
            try:
                piece = self._gzip.decompress(data, PIECE)
            except zlib.error:
                piece = None
            if piece is None:
                raise ProtocolError(
                    "the server's answer says that it is gzip and is not: look for a proxy between", code="bad_encoding"
                )
            data = self._gzip.unused_data if self._gzip.eof else self._gzip.unconsumed_tail
            if piece:
                yield piece


class Received(Protocol):
    """A connection that blocks and has received the head of a response."""

    def receive(self) -> bytes:
        """Return what was received of the body since the last call, waiting for it; empty at the end of the body."""


class AsyncReceived(Protocol):
    """A connection of an event loop that has received the head of a response."""

    async def receive(self) -> bytes:
        """Return what was received of the body since the last call, waiting for it; empty at the end of the body."""


class _Head:
    """What a response begins with.

    Args:
        head: The head.
        call: The call that it answers.

    Attributes:
        status: The status code, `200`.
        headers: The headers, their names in lower case.

    Raises:
        ProtocolError: It is a redirect, or announces a body that cannot be an answer.
    """

    def __init__(self, head: ResponseHead, call: Call) -> None:
        self.status = head.status
        self.headers = head.headers
        self._call = call
        self._decoder = _decoder(head, call)

    def _end(self) -> None:
        if not self._decoder.is_complete():
            raise self._call.cut("the compressed body ended too soon")


class Reply(_Head):
    """A response that blocks; see `_Head`.

    Args:
        head: The head.
        call: The call that it answers.
        connection: What receives the body.
    """

    def __init__(self, head: ResponseHead, call: Call, connection: Received) -> None:
        super().__init__(head, call)
        self._connection = connection

    def __iter__(self) -> Iterator[bytes]:
        """Read the decoded body; each piece is all that was received since the last.

        Raises:
            TransportError: The body was cut, or a deadline has passed.
            ProtocolError: The body is too large, or not what its headers say.
        """
        problem = None
        try:
            for data in iter(self._connection.receive, b""):
                yield from self._decoder.decode(data)
            self._end()
        except VllmError as error:
            data = b""  # tracebacks, and what reports them, show variables
            problem = error.with_traceback(None)
        if problem is not None:
            raise problem


class AsyncReply(_Head):
    """A response of an event loop; see `Reply`.

    It is not a generator: a loop that ends closes generators in any order, the caller's before or after this one.
    """

    def __init__(self, head: ResponseHead, call: Call, connection: AsyncReceived) -> None:
        super().__init__(head, call)
        self._connection = connection
        self._pieces: Iterator[bytes] = iter(())

    def __aiter__(self) -> "AsyncReply":
        return self

    async def __anext__(self) -> bytes:
        """Read on; see `Reply.__iter__`."""
        try:
            while True:
                for piece in self._pieces:
                    return piece
                data = await self._connection.receive()
                if not data:
                    self._end()
                    raise StopAsyncIteration
                self._pieces = iter(self._decoder.decode(data))
        except VllmError as error:
            data = b""  # tracebacks, and what reports them, show variables
            problem = error.with_traceback(None)
        raise problem


def _decoder(head: ResponseHead, call: Call) -> ContentDecoder:
    """Check the head of a response, start the timer of its body, and build the decoder of it."""
    status, headers, authority = head.status, head.headers, call.target.authority
    if status in REDIRECTS:
        raise ProtocolError(
            f"{authority} redirects to {_location(headers.get('location', ''))}, and redirects are not followed, since "
            "they would send the key and the prompt there: set base_url to the server itself",
            code="redirect",
            status=status,
        )
    if status in WITHOUT_ANSWER:
        raise ProtocolError(
            f"{authority} answered {status}, which carries no answer: is it vLLM, or is a proxy between?", status=status
        )
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise ProtocolError(
            f"{authority} answered with the content encoding {encoding[:40]!r}, which the request does not accept: "
            "look for a proxy between",
            code="bad_encoding",
            status=status,
        )
    is_stream = status == OK and headers.get("content-type", "").startswith(EVENT_STREAM)
    call.phase = "body"
    call.deadlines.headers_received(time.monotonic(), streaming=is_stream)
    return ContentDecoder(encoding, None if is_stream else MAX_BODY_BYTES)


def _location(location: str) -> str:
    """Name where a redirect leads, without its credentials and query."""
    try:
        url = urlsplit(location)
        host = url.hostname or ""
    except ValueError:
        return "an unreadable location"
    if not location:
        return "nowhere (it has no Location)"
    shown = f"{url.scheme}://{host}" if host else url.path
    return "".join(c if c.isprintable() else "?" for c in shown[:200])
