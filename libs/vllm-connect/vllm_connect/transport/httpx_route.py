"""Requests through httpx: the route of everything that is not a direct connection.

Proxies of every kind, a client that the caller made (of httpx or httpx2), `transport="httpx"`, and recorders and mocks of
httpx all go here. Each of our own connections is an httpx client with room for one, kept in the same pool as direct
connections, since httpx's own pool loses places when calls are cancelled. A caller's client keeps its connections,
proxies and TLS settings, and is never closed.

httpx has one timeout for every read; a call's deadlines hold because its socket is shut down when one has passed. What
follows a response in the same read is the next response to httpx, so that our own clients' bytes are parsed here, too.
"""

import math
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vllm_connect.config.config import Timeouts
from vllm_connect.errors import ConfigurationError, ConnectionFailedError, VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Call
from vllm_connect.transport.http1 import MalformedResponseError, ResponseHead, ResponseParser, join_headers
from vllm_connect.transport.loop_pool import DeadlineTimer, LoopPool
from vllm_connect.transport.reply import GRACE, AsyncReply, Reply
from vllm_connect.transport.target import Target

__all__ = ["AsyncClientConnection", "ClientConnection"]

LEAST = 0.001
"""Seconds; a timeout of 0 would mean not to wait at all."""
SOON = Timeouts(first_token=GRACE)
PHASES = {"send_request_headers.started": "write", "receive_response_headers.started": "headers"}
"""The phases that trace events begin."""


def _own_client(kind: str, target: Target) -> Any:
    """Build a client with room for one connection to a server: a `Client` or an `AsyncClient`.

    Raises:
        ConfigurationError: A file of the TLS settings cannot be read, or a SOCKS proxy lacks its package.
    """
    import httpx  # noqa: PLC0415 - a slow import that direct connections and clients of a caller do not need

    tls, proxy, between = target.client_tls(), target.proxy, None
    limits = httpx.Limits(max_connections=1, keepalive_expiry=target.config.keepalive_expiry)
    if proxy is not None:
        proxy_tls = tls if proxy.url.startswith("https:") else None
        between = httpx.Proxy(proxy.url, ssl_context=proxy_tls, auth=proxy.credentials())
    try:
        return getattr(httpx, kind)(verify=tls, proxy=between, trust_env=False, limits=limits)
    except ImportError:
        pass
    raise ConfigurationError("a SOCKS proxy needs one more package: pip install 'vllm-connect[socks]'")


class _Connection:
    """An httpx client as a connection of a pool.

    Args:
        client: The client.
        is_own: Whether it is ours to close.
    """

    def __init__(self, client: Any, *, is_own: bool) -> None:
        self._client = client
        self._is_own = is_own
        self._stream: Any = None
        self._parser: ResponseParser | None = None
        self._call: Call | None = None
        self._response: Any = None
        self._pieces: Any = None
        self._expired: str | None = None
        self._kept = self._was_kept = False
        self._is_complete = False

    def is_alive(self) -> bool:
        """Return whether it can be used; httpx looks at its idle connection itself."""
        return True

    def expire(self, now: float) -> bool:
        """Shut the connection down if the caller does not read the response."""
        if self._call is not None and self._call.phase == "body" and self._expired is None:
            due, phase = self._call.deadlines.next_deadline()
            if now >= due:
                self._expire(phase)
        return self._expired is not None

    def _expire(self, phase: str) -> None:
        """End whatever waits for the connection, since a phase took too long."""
        self._expired = phase
        self._shut_down()

    def _shut_down(self) -> None:
        """Shut the socket down, so that the server sees it at once."""
        with suppress(OSError, AttributeError):  # the server was first, or there is no connection of httpcore
            sock = self._stream.get_extra_info("socket")
            kind = socket.socket if isinstance(sock, socket.socket) else type(sock)
            kind.shutdown(sock, socket.SHUT_RDWR)  # TLS's own would end the decryption

    def _on_event(self, event: str, info: dict[str, Any]) -> None:
        """Follow a request on its way, as httpx's trace events tell."""
        step = event.partition(".")[2]
        if self._call is None:
            return
        if step in ("connect_tcp.complete", "start_tls.complete"):
            self._stream = info["return_value"]
            self._parser = None
            if self._is_own:
                self._stream.read = self._parsed(self._stream.read)
        elif step == "connect_tcp.started":
            self._call.enter_phase("connect")
        elif step in PHASES and info["request"].method != b"CONNECT":  # which is part of connecting
            self._call.enter_phase(PHASES[step])
            self._parser = ResponseParser()

    def _parsed(self, read: Callable[..., Any]) -> Callable[..., Any]:
        """Return a stream's `read` that also parses what it reads."""
        raise NotImplementedError

    def _parse(self, data: bytes) -> bytes:
        parser = self._parser
        if not data and isinstance(tls := self._stream.get_extra_info("ssl_object"), ssl.SSLObject):
            tls.read(1)  # raises an error where the end was not encrypted, which anyio does not report
        if parser is not None:
            try:
                parser.feed(data)
                parser.take()
            except MalformedResponseError:  # which httpx judges; the connection is not used again
                parser.reusable = False
        return data

    def _can_be_kept(self) -> bool:
        """Check whether the response has ended and nothing follows it."""
        parser = self._parser
        return self._is_own and self._is_complete and (parser is None or (parser.complete and parser.reusable))

    def _begin(self, request: HttpRequest, call: Call, trace: Callable[..., object]) -> Any:
        """Build httpx's request."""
        self._call, self._expired, self._is_complete = call, None, False
        self._kept, self._was_kept = True, self._kept
        left, limits = call.deadlines.remaining(time.monotonic()), call.deadlines.timeouts
        seconds = (
            min(each or math.inf, left) for each in (limits.connect, limits.first_token, limits.write, limits.pool)
        )
        return self._client.build_request(
            request.method,
            call.target.url + request.path,
            content=request.body or None,
            headers=call.target.headers(request),
            timeout=tuple(None if math.isinf(each) else max(each, LEAST) for each in seconds),
            extensions={"trace": trace},
        )

    def _head(self, response: Any) -> ResponseHead:
        """Read the head; a body that was read already, by a recorder or a mock, is decoded already."""
        self._response = response
        decoded = ("content-encoding",) if response.is_stream_consumed else ()
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in decoded]
        return ResponseHead(response.status_code, join_headers(headers))

    def _received(self, data: bytes) -> bytes:
        """Receive a piece of the body, or its end; what has been received before a deadline is read."""
        if self._call is not None and self._expired and not (data and self._stream):
            raise self._call.timed_out(self._expired)
        self._is_complete = not data
        return data

    def _failed(self, error: BaseException, call: Call) -> VllmError:
        """Build the error for what httpx raised, or raise it if it is not one of httpx's."""
        if self._expired is not None and isinstance(error, Exception):
            return call.timed_out(self._expired)
        if isinstance(error, RuntimeError) and "event loop" in str(error).lower():
            return ConfigurationError(
                f"the request to {call.target.authority} cannot be sent: the httpx.AsyncClient that was given was used "
                "in another event loop before, to which its connections belong; create one for each event loop"
            )
        if type(error).__name__.startswith("Connect"):
            call.phase = "connect"
        problem = call.failed(error)
        if problem is None:
            raise error
        return problem.with_traceback(None)

    def _is_stale(self, problem: VllmError) -> bool:
        """Check whether the server had closed a connection of ours that was kept."""
        return (
            self._is_own
            and self._was_kept
            and not self._expired
            and isinstance(problem, ConnectionFailedError)
            and problem.phase in ("write", "headers")
        )


class ClientConnection(_Connection):
    """A client that blocks.

    Args:
        call: The first call.
        client: The caller's client, None for one of our own.
    """

    def __init__(self, call: Call, client: Any) -> None:
        super().__init__(client or _own_client("Client", call.target), is_own=client is None)

    def ask(self, request: HttpRequest, call: Call) -> Reply | None:
        """Send a request and wait for the head of its response; see `BlockingConnection.ask`."""
        self._watch = _Watch(self._expire, call)
        try:
            built = self._begin(request, call, self._trace)
            response = self._client.send(built, stream=True, follow_redirects=False)
            head = self._head(response)
            if self._is_own and self._was_kept and head.is_idle_timeout():
                self.finish(orderly=False)
                return None
            self._pieces = response.iter_bytes() if response.is_stream_consumed else response.iter_raw()
            return Reply(head, call, self)
        except BaseException as error:  # noqa: BLE001 - it is raised again if it is not one of httpx's
            self.finish(orderly=False)
            problem = self._failed(error, call)
        if self._is_stale(problem):
            return None
        raise problem

    def receive(self) -> bytes:
        """Return what was received of the body; see `Received`."""
        if self._call is None:
            raise RuntimeError("the response is closed")
        try:
            return self._received(next(self._pieces, b""))
        except Exception as error:  # noqa: BLE001 - it is raised again if it is not one of httpx's
            problem = self._failed(error, self._call)
        raise problem

    def finish(self, *, orderly: bool) -> bool:
        """End the response; see `BlockingConnection.finish`."""
        self._watch.stop()
        call, response = self._call, self._response
        if orderly and not self._is_complete and not self._expired and call is not None:
            self._watch = _Watch(self._expire, Call(call.target, Deadlines(SOON, time.monotonic()), streaming=True))
            with suppress(VllmError):
                self.receive()
            self._watch.stop()
        self._call = self._response = self._pieces = None
        if response is not None:
            response.close()
        return orderly and self._can_be_kept()

    def close(self) -> None:
        """Close the client if it is ours."""
        if self._is_own:
            self._shut_down()
            self._client.close()

    def _parsed(self, read: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: self._parse(read(*args, **options))

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        self._on_event(event, info)
        self._watch.look()


class _Watch(threading.Thread):
    """Ends a call that blocks when its deadline has passed.

    Args:
        expire: Called with the phase that took too long.
        call: The call.
    """

    def __init__(self, expire: Callable[[str], None], call: Call) -> None:
        super().__init__(name="deadlines of a request", daemon=True)
        self._expire = expire
        self._deadlines = call.deadlines
        self._signal = threading.Event()
        self._is_over = False
        self.start()

    def run(self) -> None:
        """Check the deadlines whenever one may have passed."""
        while not self._is_over:
            now = time.monotonic()
            end = self._deadlines.end_of_wait(now)
            if now >= end:
                self._expire(self._deadlines.next_deadline()[1])
                return
            self._signal.wait(min(end - now, self._deadlines.timeouts.stall or math.inf, threading.TIMEOUT_MAX))
            self._signal.clear()

    def look(self) -> None:
        """Check now, since a phase has begun."""
        self._signal.set()

    def stop(self) -> None:
        """Watch no longer."""
        self._is_over = True
        self._signal.set()


class AsyncClientConnection(_Connection):
    """A client of an event loop.

    Args:
        pool: The connections of the loop.
        call: The first call.
        client: The caller's client, None for one of our own.
    """

    def __init__(self, pool: LoopPool[Any], call: Call, client: Any) -> None:
        super().__init__(client or _own_client("AsyncClient", call.target), is_own=client is None)
        self._pool = pool
        self._timer = DeadlineTimer(pool.loop)
        self._is_closed = False
        if self._is_own:
            pool.opened(self)

    async def ask(self, request: HttpRequest, call: Call) -> AsyncReply | None:
        """Send a request and wait for the head of its response; see `LoopConnection.ask`."""
        try:
            built = self._begin(request, call, self._trace)
            response = await self._client.send(built, stream=True, follow_redirects=False)
            head = self._head(response)
            if self._is_own and self._was_kept and head.is_idle_timeout():
                await self.finish(orderly=False)
                return None
            self._pieces = response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()
            self._timer.start(call.deadlines, self._on_timeout)
            return AsyncReply(head, call, self)
        except BaseException as error:  # noqa: BLE001 - it is raised again if it is not one of httpx's
            await self.finish(orderly=False)
            problem = self._failed(error, call)
        if self._is_stale(problem):
            return None
        raise problem

    async def receive(self) -> bytes:
        """Return what was received of the body; see `AsyncReceived`."""
        if self._call is None:
            raise RuntimeError("the response is closed")
        try:
            return self._received(await anext(self._pieces, b""))
        except Exception as error:  # noqa: BLE001 - it is raised again if it is not one of httpx's
            problem = self._failed(error, self._call)
        raise problem

    async def finish(self, *, orderly: bool) -> bool:
        """End the response; see `LoopConnection.finish`."""
        call, response = self._call, self._response
        if orderly and not self._is_complete and not self._expired and call is not None:
            self._timer.start(Deadlines(SOON, time.monotonic()), self._on_timeout)
            with suppress(VllmError):
                await self.receive()
        self._timer.stop()
        self._call = self._response = self._pieces = None
        if response is not None:
            await response.aclose()
        return orderly and self._can_be_kept()

    def close(self) -> None:
        """Close the connection if it is ours.

        The client is left to itself, since it takes turns of the loop to close, which may not come. So does a stream, but
        for its own turns only: it is closed in one.
        """
        if not self._is_own or self._is_closed:
            return
        self._is_closed = True
        self._shut_down()
        self._pool.closed(self)
        if self._stream is not None:
            closing = self._stream.aclose()
            with suppress(StopIteration, OSError, RuntimeError):  # it is closed, by us or by the end of the loop
                while True:
                    closing.send(None)

    def _on_timeout(self, phase: str) -> None:
        self._expire(phase)
        self._pool.reclaim()

    def _parsed(self, read: Callable[..., Any]) -> Callable[..., Any]:
        async def parsed(*args: Any, **options: Any) -> bytes:
            return self._parse(await read(*args, **options))

        return parsed

    async def _trace(self, event: str, info: dict[str, Any]) -> None:
        self._on_event(event, info)
        if self._call is not None:
            self._timer.start(self._call.deadlines, self._on_timeout)
