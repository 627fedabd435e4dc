"""How the server is reached: one interface, whatever carries the bytes.

`with Transport(config).open(HttpRequest("GET", "/version"), deadlines) as reply: b"".join(reply)` is
`{"version": "0.32.0"}`. A direct connection is our own HTTP/1.1, over blocking sockets or in an event loop: beside
httpx's transports it costs a fraction for a chunk and for a call. Everything else goes through httpx: see `httpx_route`.
What is needed for that is imported with the first request.
"""

import sys
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vllm_connect.config.config import VllmConfig
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines

if TYPE_CHECKING:
    from vllm_connect.transport.blocking_pool import BlockingPool
    from vllm_connect.transport.loop_pool import LoopPools
    from vllm_connect.transport.reply import AsyncReply, Reply
    from vllm_connect.transport.target import Target

__all__ = ["AsyncTransport", "HttpRequest", "Transport"]

B = TypeVar("B")

SENDERS = {"httpx": "HTTPTransport", "httpcore": "ConnectionPool"}
"""The classes whose method `handle_request` sends for httpx."""


class _Transport(Generic[B]):
    """Requests to one server; nothing is created before the first.

    Args:
        config: The server and how to talk to it.
        client: An `httpx.Client` for a `Transport` and an `httpx.AsyncClient` for an `AsyncTransport`, or those of httpx2,
            to use in place of our own; it is never closed.
    """

    def __init__(self, config: VllmConfig, client: object | None = None) -> None:
        self._config = config
        self._client = client
        self._backends: dict[bool, B] = {}

    def _backend(self) -> B:
        through_httpx = self._client is not None or self._config.transport == "httpx" or _is_intercepted()
        backend = self._backends.get(through_httpx)
        if backend is None:
            from vllm_connect.transport.target import Target  # noqa: PLC0415 - it needs the HTTP library

            target = Target(self._config, proxied=self._client is None)
            built = self._build(target, through_httpx=through_httpx or target.proxy is not None)
            backend = self._backends.setdefault(through_httpx, built)  # threads that come first at once get the same
        return backend

    def _build(self, target: "Target", *, through_httpx: bool) -> B:
        raise NotImplementedError


class Transport(_Transport["BlockingPool[Any]"]):
    """Blocking requests to one server, from any number of threads; see `_Transport`."""

    def open(self, request: HttpRequest, deadlines: Deadlines) -> "AbstractContextManager[Reply]":
        """Send a request and wait for the head of its response.

        Left without an exception, the connection is kept if the body was read to its end, or ends at once; left with
        one, it is closed, and the server sees it.

        Args:
            request: What to send.
            deadlines: The call's deadlines; their clock is `time.monotonic`.

        Returns:
            A context whose value is the response.

        Raises:
            ConfigurationError: A file or a proxy of the settings cannot be used.
            ConnectionFailedError: The server was not reached, or closed the connection before it answered.
            RequestTimeoutError: A deadline has passed; also while the body is read.
            StreamInterruptedError: While the body is read: it was cut.
            ProtocolError: The response is not HTTP/1.1, a redirect, or too large.
        """
        return self._backend().open(request, deadlines)

    def close(self) -> None:
        """Close idle connections; those in use are closed when their response is."""
        for backend in list(self._backends.values()):
            backend.close()

    def _build(self, target: "Target", *, through_httpx: bool) -> "BlockingPool[Any]":
        from vllm_connect.transport.blocking_pool import BlockingPool  # noqa: PLC0415 - one of two shells is needed

        if through_httpx:
            from vllm_connect.transport.httpx_route import ClientConnection  # noqa: PLC0415 - the same

            return BlockingPool(target, lambda call: ClientConnection(call, self._client))
        from vllm_connect.transport.sockets import connect  # noqa: PLC0415 - the same

        return BlockingPool(target, connect)


class AsyncTransport(_Transport["LoopPools[Any]"]):
    """Requests to one server from any number of event loops; see `_Transport`."""

    def open(self, request: HttpRequest, deadlines: Deadlines) -> "AbstractAsyncContextManager[AsyncReply]":
        """Send a request and wait for the head of its response; see `Transport.open`."""
        return self._backend().open(request, deadlines)

    async def aclose(self) -> None:
        """Close the idle connections of this event loop; those in use are closed when their response is."""
        for backend in list(self._backends.values()):
            await backend.aclose()

    def _build(self, target: "Target", *, through_httpx: bool) -> "LoopPools[Any]":
        from vllm_connect.transport.loop_pool import LoopPools  # noqa: PLC0415 - one of two shells is needed

        if through_httpx:
            from vllm_connect.transport.httpx_route import AsyncClientConnection  # noqa: PLC0415 - the same

            client = self._client

            async def connect_client(pool: Any, call: Any) -> AsyncClientConnection:
                return AsyncClientConnection(pool, call, client)

            return LoopPools(target, connect_client)
        from vllm_connect.transport.asyncio_streams import connect  # noqa: PLC0415 - the same

        return LoopPools(target, connect)


def _is_intercepted() -> bool:
    """Check whether a recorder or a mock has replaced what sends for httpx, as vcrpy, pytest-httpx and respx do."""
    for package, name in SENDERS.items():
        sender = getattr(sys.modules.get(package), name, None)  # another thread may be importing the package
        if sender is not None:
            module = sys.modules[package]
            code = getattr(sender.handle_request, "__code__", None)
            if code is None or not code.co_filename.startswith(tuple(module.__path__)):
                return True
    return False
