"""How the server is reached: one interface, whatever carries the bytes.

`with Transport(config).open(HttpRequest("GET", "/version"), deadlines) as reply: b"".join(reply)` is
`{"version": "0.32.0"}`. Blocking calls go over the standard library, others over aiohttp: beside httpx's own
transports they cost a fraction for a chunk and for a call, and an asynchronous pool loses no connection when calls
are cancelled. A client of httpx or httpx2 that the caller made is used in their place.
"""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from vllm_connect.config.config import VllmConfig
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.message import AsyncReply, Reply
from vllm_connect.transport.target import Route

__all__ = ["AsyncReply", "AsyncTransport", "HttpRequest", "Reply", "Transport"]


ONLY = "carrier"
"""The one key of what a transport has made: threads that come first at once get the same (`dict.setdefault`)."""


class _Carrier(Protocol):
    def open(self, request: HttpRequest, deadlines: Deadlines) -> AbstractContextManager[Reply]: ...

    def close(self) -> None: ...


class _AsyncCarrier(Protocol):
    def open(self, request: HttpRequest, deadlines: Deadlines) -> AbstractAsyncContextManager[AsyncReply]: ...

    async def aclose(self) -> None: ...


class Transport:
    """Blocking requests to one server, from any number of threads; nothing is made before the first.

    Args:
        config: The server and how to talk to it.
        client: An `httpx.Client` (or of httpx2) to use in place of our own; it is never closed.
    """

    def __init__(self, config: VllmConfig, client: object | None = None) -> None:
        self._config = config
        self._client = client
        self._made: dict[str, _Carrier] = {}

    def open(self, request: HttpRequest, deadlines: Deadlines) -> AbstractContextManager[Reply]:
        """Send a request and wait for the answer's headers.

        Left without an exception, the answer's connection is kept if the body was read to its end, or ends at once;
        left with one, it is closed, and the server sees it.

        Args:
            request: What to ask.
            deadlines: The call's deadlines; their clock is `time.monotonic`.

        Returns:
            A context whose value is the answer.

        Raises:
            ConfigurationError: A file or a proxy of the settings cannot be used.
            ConnectionFailedError: The server was not reached, or hung up before it answered.
            RequestTimeoutError: A timer ran out; also while the body is read.
            StreamInterruptedError: While the body is read: it was cut.
            ProtocolError: The answer is no HTTP, a redirect, or too large.
        """
        carrier = self._made.get(ONLY)
        if carrier is None:
            route = Route(self._config, proxied=self._client is None)
            carrier = self._made.setdefault(ONLY, _carrier(route, self._client))
        return carrier.open(request, deadlines)

    def close(self) -> None:
        """Close idle connections; those in use are closed when their answer is."""
        for carrier in self._made.values():
            carrier.close()


class AsyncTransport:
    """Requests to one server that do not block, from any number of event loops; nothing is made before the first.

    Args:
        config: The server and how to talk to it.
        client: An `httpx.AsyncClient` (or of httpx2) to use in place of our own; it is never closed.
    """

    def __init__(self, config: VllmConfig, client: object | None = None) -> None:
        self._config = config
        self._client = client
        self._made: dict[str, _AsyncCarrier] = {}

    def open(self, request: HttpRequest, deadlines: Deadlines) -> AbstractAsyncContextManager[AsyncReply]:
        """As `Transport.open`."""
        carrier = self._made.get(ONLY)
        if carrier is None:
            route = Route(self._config, proxied=self._client is None)
            carrier = self._made.setdefault(ONLY, _async_carrier(route, self._client))
        return carrier.open(request, deadlines)

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        for carrier in self._made.values():
            await carrier.aclose()


def _carrier(route: Route, client: object | None) -> _Carrier:
    if client is not None:
        from vllm_connect.transport.httpx_route import ClientPool  # noqa: PLC0415 - one of the two is needed

        return ClientPool(route, client)
    from vllm_connect.transport.sockets import SocketPool  # noqa: PLC0415 - one of the two is needed

    return SocketPool(route)


def _async_carrier(route: Route, client: object | None) -> _AsyncCarrier:
    if client is not None:
        from vllm_connect.transport.httpx_route import AsyncClientPool  # noqa: PLC0415 - one of the two is needed

        return AsyncClientPool(route, client)
    from vllm_connect.transport.sessions import SessionPool  # noqa: PLC0415 - one of the two is needed

    return SessionPool(route)
