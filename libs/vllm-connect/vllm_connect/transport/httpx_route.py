"""Requests through a client that the caller made: an `httpx.Client` or `AsyncClient`, of httpx or httpx2.

Such a client keeps its own connections, proxies and TLS, and is never closed here. It has one timeout for every read,
so a stall is noticed after `first_token` at the latest, and it sends no request again free of charge.
"""

import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from vllm_connect.errors import VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Place
from vllm_connect.transport.message import Body, Head, read_head
from vllm_connect.transport.target import Route

__all__ = ["AsyncClientPool", "AsyncClientReply", "ClientPool", "ClientReply"]

LEAST = 0.001
"""Seconds; a timeout of 0 would mean not to wait at all."""


class _Reply:
    """What an answer is made of, whether it is waited for or not.

    Args:
        response: The client's response.
        head: Its head.
        place: Where the call is.
    """

    def __init__(self, response: Any, head: Head, place: Place) -> None:
        self.status = head.status
        self.headers = head.headers
        self.request_id = head.request_id
        self._response = response
        self._place = place
        self._body = Body(head, place)

    def _check(self) -> None:
        deadline, phase = self._place.deadlines.next_deadline()
        if time.monotonic() >= deadline:
            raise self._place.timed_out(phase)


class ClientReply(_Reply):
    """An answer that is waited for."""

    def __iter__(self) -> Iterator[bytes]:
        """Read the body; each piece is what the client gives."""
        pieces = self._response.iter_bytes()
        while True:
            problem: VllmError | None = None
            data = b""
            try:
                data = next(pieces, b"")
            except Exception as error:
                problem = _named(error, self._place)
                if problem is None:
                    raise
            if problem is not None:
                raise problem.with_traceback(None)
            if not data:
                return
            self._check()
            yield from self._body.unpack(data)


class AsyncClientReply(_Reply):
    """An answer that is awaited."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Read the body; each piece is what the client gives."""
        pieces = self._response.aiter_bytes()
        while True:
            problem: VllmError | None = None
            data = b""
            try:
                data = await anext(pieces, b"")
            except Exception as error:
                problem = _named(error, self._place)
                if problem is None:
                    raise
            if problem is not None:
                raise problem.with_traceback(None)
            if not data:
                return
            self._check()
            for piece in self._body.unpack(data):
                yield piece


class _Pool:
    """What both kinds of clients are asked.

    Args:
        route: The way to the server.
        client: The client.
    """

    def __init__(self, route: Route, client: Any) -> None:
        self._route = route
        self._client = client

    def _build(self, request: HttpRequest, deadlines: Deadlines) -> Any:
        route = self._route
        return self._client.build_request(
            request.method,
            f"{route.origin}{route.prefix}{request.path}",
            content=request.body or None,
            headers=route.headers_of(request),
            timeout=_timeout(deadlines),
        )


class ClientPool(_Pool):
    """Blocking requests through the caller's client."""

    @contextmanager
    def open(self, request: HttpRequest, deadlines: Deadlines) -> Iterator[ClientReply]:
        """Send a request and wait for the answer's headers; see `Transport.open`."""
        place = _place(self._route, request, deadlines)
        problem: VllmError | None = None
        response: Any = None
        try:
            built = self._build(request, deadlines)
            response = self._client.send(built, stream=True, follow_redirects=False)
        except Exception as error:
            problem = _named(error, place)
            if problem is None:
                raise
        if problem is not None:
            raise problem.with_traceback(None)
        try:
            yield ClientReply(response, _head(response, place), place)
        finally:
            response.close()

    def close(self) -> None:
        """Leave the client to its owner."""


class AsyncClientPool(_Pool):
    """Requests through the caller's client that do not block."""

    @asynccontextmanager
    async def open(self, request: HttpRequest, deadlines: Deadlines) -> AsyncIterator[AsyncClientReply]:
        """Send a request and wait for the answer's headers; see `AsyncTransport.open`."""
        place = _place(self._route, request, deadlines)
        problem: VllmError | None = None
        response: Any = None
        try:
            built = self._build(request, deadlines)
            response = await self._client.send(built, stream=True, follow_redirects=False)
        except Exception as error:
            problem = _named(error, place)
            if problem is None:
                raise
        if problem is not None:
            raise problem.with_traceback(None)
        try:
            yield AsyncClientReply(response, _head(response, place), place)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Leave the client to its owner."""


def _place(route: Route, request: HttpRequest, deadlines: Deadlines) -> Place:
    place = Place(route, deadlines, streaming=request.streaming)
    place.phase = "headers"
    return place


def _head(response: Any, place: Place) -> Head:
    """Read the head; the client has unpacked the body already."""
    headers = [(name, value) for name, value in response.headers.multi_items() if name != "content-encoding"]
    return read_head(response.status_code, headers, place)


def _timeout(deadlines: Deadlines) -> tuple[float | None, float | None, float | None, float | None]:
    """Spell the deadlines as the client does: connect, read, write, pool."""
    left = deadlines.remaining(time.monotonic())
    limits = deadlines.timeouts

    def capped(seconds: float | None) -> float | None:
        least = min(seconds or math.inf, left)
        return None if math.isinf(least) else max(least, LEAST)

    return capped(limits.connect), capped(limits.first_token), capped(limits.write), capped(limits.pool)


def _named(error: Exception, place: Place) -> VllmError | None:
    """Name an error of the client as ours, None if it is none of the client's."""
    if type(error).__name__.startswith("Connect"):
        place.phase = "connect"
    return place.failed(error)
