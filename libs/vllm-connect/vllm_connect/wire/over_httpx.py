"""Transports over httpx: requests and replies on any client of its API, ours or the caller's.

The asynchronous client stands on aiohttp, because httpx's own asynchronous pool does not survive cancellations.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import httpx

from vllm_connect.config import VllmConfig, timeouts_of
from vllm_connect.errors import (
    ConnectionFailedError,
    ProtocolError,
    RequestTimeoutError,
    StreamInterruptedError,
    VllmError,
)
from vllm_connect.timers import Timers
from vllm_connect.wire.http import HttpRequest
from vllm_connect.wire.route import Route

__all__ = ["AsyncTransport", "Transport"]


class _Reply:
    def __init__(self, response: httpx.Response, route: Route, timers: Timers, *, streaming: bool) -> None:
        self._response = response
        self._route = route
        self._timers = timers
        self._streaming = streaming
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-request-id")

    def _check(self) -> None:
        due, phase = self._timers.deadline()
        if due is not None and time.monotonic() > due:
            raise RequestTimeoutError(f"no progress from {self._route.place} within the {phase} timeout", phase=phase)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for data in self._response.iter_bytes():
                self._check()
                yield data
        except httpx.HTTPError as error:
            raise _mapped(error, self._route, self._timers, answered=True) from None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._response.aiter_bytes():
                self._check()
                yield data
        except httpx.HTTPError as error:
            raise _mapped(error, self._route, self._timers, answered=True) from None


def _mapped(error: httpx.HTTPError, route: Route, timers: Timers, *, answered: bool) -> VllmError:
    what = f"{type(error).__name__}: {route.scrubbed(str(error))}"
    if isinstance(error, httpx.PoolTimeout):
        return RequestTimeoutError(
            f"no free connection to {route.place} within {timers.timeouts.pool} s: raise max_connections or timeout.pool",
            phase="pool",
        )
    if isinstance(error, httpx.ConnectTimeout):
        return RequestTimeoutError(
            f"{route.place} did not accept a connection within {timers.timeouts.connect} s",
            phase="connect",
            retryable=True,
        )
    if isinstance(error, httpx.TimeoutException):
        _, phase = timers.deadline()
        return RequestTimeoutError(f"{route.place} was silent for too long ({what})", phase=phase)
    if isinstance(error, httpx.DecodingError):
        return ProtocolError(f"the answer of {route.place} cannot be decoded: {what}", code="bad_encoding")
    if answered:
        return StreamInterruptedError(f"the connection to {route.place} broke in the middle of the answer ({what})")
    return ConnectionFailedError(f"{route.place} was not reached ({what}): is the server running there?")


def _timeout(timers: Timers) -> httpx.Timeout:
    limits = timers.timeouts
    waits = [wait for wait in (limits.first_token, limits.total) if wait is not None]
    return httpx.Timeout(connect=limits.connect, pool=limits.pool, write=limits.write, read=min(waits, default=None))


def _settings(config: VllmConfig, route: Route) -> dict[str, Any]:
    proxy = None
    if route.proxy is not None:
        headers = {"proxy-authorization": route.proxy_auth} if route.proxy_auth else {}
        proxy = httpx.Proxy(f"http://{route.proxy[0]}:{route.proxy[1]}", headers=headers)
    return {
        "timeout": None,
        "follow_redirects": False,
        "trust_env": False,
        "proxy": proxy,
        "verify": route.tls() or False,
        "limits": httpx.Limits(
            max_connections=config.max_connections,
            max_keepalive_connections=config.max_connections,
            keepalive_expiry=config.keepalive_expiry,
        ),
    }


def _parts(route: Route, request: HttpRequest, timers: Timers) -> dict[str, Any]:
    headers = {**route.headers(body=bool(request.body), streaming=request.streaming), **request.headers}
    return {
        "method": request.method,
        "url": f"{route.origin}{route.prefix}{request.path}",
        "content": request.body or None,
        "headers": headers,
        "timeout": _timeout(timers),
    }


class Transport:
    """Blocking requests to one server, from any number of threads."""

    def __init__(self, config: VllmConfig, client: object | None = None) -> None:
        self._config = config
        self._given: Any = client
        self._own: httpx.Client | None = None
        self._pid = os.getpid()

    def _client(self, route: Route) -> Any:
        if self._given is not None:
            return self._given
        if self._own is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._own = httpx.Client(**_settings(self._config, route))
        return self._own

    def open(self, request: HttpRequest, timers: Timers) -> AbstractContextManager[_Reply]:
        """Send a request and wait for the answer's headers."""
        return self._open(request, timers)

    @contextmanager
    def _open(self, request: HttpRequest, timers: Timers) -> Iterator[_Reply]:
        route = Route(self._config)
        client = self._client(route)
        try:
            response = client.send(client.build_request(**_parts(route, request, timers)), stream=True)
        except httpx.HTTPError as error:
            raise _mapped(error, route, timers, answered=False) from None
        try:
            yield _Reply(response, route, timers, streaming=request.streaming)
        finally:
            response.close()

    def close(self) -> None:
        """Close idle connections."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def __deepcopy__(self, memo: object) -> "Transport":
        return Transport(self._config, self._given)

    def __reduce__(self) -> tuple[Any, ...]:
        return Transport, (self._config,)


class AsyncTransport:
    """Requests to one server that do not block, from any number of event loops."""

    def __init__(self, config: VllmConfig, client: object | None = None) -> None:
        self._config = config
        self._given: Any = client
        self._own: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._pid = os.getpid()

    def _client(self, route: Route) -> Any:
        if self._given is not None:
            return self._given
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._own = WeakKeyDictionary()
        loop = asyncio.get_running_loop()
        client = self._own.get(loop)
        if client is None:
            from httpx_aiohttp import HttpxAiohttpClient  # noqa: PLC0415 - aiohttp is a slow import

            client = self._own[loop] = HttpxAiohttpClient(**_settings(self._config, route))
        return client

    def open(self, request: HttpRequest, timers: Timers) -> AbstractAsyncContextManager[_Reply]:
        """Send a request and wait for the answer's headers."""
        return self._open(request, timers)

    @asynccontextmanager
    async def _open(self, request: HttpRequest, timers: Timers) -> AsyncIterator[_Reply]:
        route = Route(self._config)
        client = self._client(route)
        try:
            response = await client.send(client.build_request(**_parts(route, request, timers)), stream=True)
        except httpx.HTTPError as error:
            raise _mapped(error, route, timers, answered=False) from None
        try:
            yield _Reply(response, route, timers, streaming=request.streaming)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        client = self._own.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def __deepcopy__(self, memo: object) -> "AsyncTransport":
        return AsyncTransport(self._config, self._given)

    def __reduce__(self) -> tuple[Any, ...]:
        return AsyncTransport, (self._config,)
