"""HTTP/1.1 that does not block, over aiohttp, with one session for each event loop.

A session belongs to the loop that made it. It is closed when that loop shuts its asynchronous generators down, as
`asyncio.run` does, so that nobody has to close anything between two runs. aiohttp's own timers are off: one timer a
call, which moves from phase to phase, knows the wait for a free connection from the wait for the network, and costs
nothing for a chunk.
"""

import asyncio
import atexit
import math
import os
import threading
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

from vllm_connect.errors import ConnectionFailedError
from vllm_connect.timers import Timers
from vllm_connect.wire.causes import Place
from vllm_connect.wire.message import Body, Head, read_head
from vllm_connect.wire.request import HttpRequest
from vllm_connect.wire.route import Route

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["SessionPool", "SessionReply"]

GRACE = 0.05
"""Seconds to wait for the end of a body of which nothing more is wanted, so that its connection can be kept."""
LARGE = 256 * 1024
"""From this size on, in bytes, a request is written in pieces, so that the time to write it can be told."""
PIECE = 64 * 1024
MAX_HEADER_BYTES = 65536
MAX_RESENDS = 2
"""How often a request is sent again, free of charge, because the server had closed the connection that waited."""

Loop = asyncio.AbstractEventLoop


class _Opening:
    """The way from a request to the headers of its answer, phase by phase, each with its timer.

    A timer that runs out cancels the task, as `asyncio.timeout` does, which Python 3.10 does not have.
    """

    def __init__(self, place: Place, *, large: bool) -> None:
        self.place = place
        self.reused = False
        self.expired: str | None = None
        self.transport: asyncio.Transport | None = None
        self._large = large
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request needs a running task")
        self._task = task
        self._cancelling = _cancelling(task)

    def enter(self, phase: str) -> None:
        """Go over to another phase."""
        self.place.phase = phase
        timers = self.place.timers
        now = time.monotonic()
        if phase == "headers":
            deadline, name = timers.deadline()
            left = math.inf if deadline is None else deadline - now
        else:
            left, name = getattr(timers.timeouts, phase) or math.inf, phase
            if timers.left(now) < left:
                left, name = timers.left(now), "total"
        self.leave()
        if not math.isinf(left):
            self._timer = self._loop.call_later(max(left, 0), self._ring, name)

    def leave(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connected(self, *, reused: bool) -> None:
        """Take the connection; what is small is written at once."""
        self.reused = reused
        self.enter("write" if self._large else "headers")

    async def pieces(self, body: bytes) -> AsyncIterator[bytes]:
        """Give the body in pieces; each is asked for when the one before it is on its way."""
        for at in range(0, len(body), PIECE):
            yield body[at : at + PIECE]
        self.enter("headers")

    def abort(self) -> None:
        """Drop what was not written yet: closing in order would wait for the server to take it."""
        if self.transport is not None:
            self.transport.abort()

    def own(self, error: BaseException) -> bool:
        """Tell whether a cancellation is that of the timer and of nobody else."""
        if self.expired is None or not isinstance(error, asyncio.CancelledError):
            return False
        uncancel = getattr(self._task, "uncancel", None)
        return uncancel is None or uncancel() <= self._cancelling

    def _ring(self, phase: str) -> None:
        self.expired = phase
        self._task.cancel()


def _cancelling(task: "asyncio.Task[Any]") -> int:
    count = getattr(task, "cancelling", None)  # since Python 3.11
    return 0 if count is None else int(count())


class SessionReply:
    """An answer whose body comes through aiohttp.

    Args:
        response: The response, of which only the headers were read.
        head: Its head.
        place: Where the call is.
    """

    def __init__(self, response: "ClientResponse", head: Head, place: Place) -> None:
        self.status = head.status
        self.headers = head.headers
        self.request_id = head.request_id
        self._response = response
        self._place = place
        self._body = Body(head, place)
        self._pieces: Iterator[bytes] = iter(())
        self._loop = asyncio.get_running_loop()
        self._expired: str | None = None
        self._unread = b""
        self._timer: asyncio.TimerHandle | None = None
        self._watch()

    def __aiter__(self) -> "SessionReply":
        return self

    async def __anext__(self) -> bytes:
        """Read on; each piece is all that has come since the last.

        Raises:
            TransportError: The body was cut, or a timer ran out.
            ProtocolError: The body is too large, or not what its headers say.
        """
        while True:
            for piece in self._pieces:
                return piece
            problem = None
            try:
                data = await self._response.content.readany()
            except Exception as error:
                problem = self._place.failed(error)
                if problem is None:
                    raise
                data = b""
            if self._expired is not None and not data:
                data, self._unread = self._unread, b""
                problem = None if data else self._place.timed_out(self._expired)
            if problem is not None:
                raise problem.with_traceback(None)
            if not data:
                self._body.end()
                raise StopAsyncIteration
            self._pieces = iter(self._body.unpack(data))

    async def finish(self) -> None:
        """Wait shortly for an end that is about to come, so that the connection can serve again."""
        content = self._response.content
        if content.at_eof():
            return
        self._stop()
        self._timer = self._loop.call_later(GRACE, self._abort)
        try:
            await content.readany()
        except Exception as error:
            if self._place.failed(error) is None:
                raise

    def close(self) -> None:
        """Give the connection back if the body was read to its end, close it otherwise so that the server sees it."""
        self._stop()
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._abort()
            self._response.close()

    def _watch(self) -> None:
        """Set the timer for when the call may be late, without moving it for every piece.

        Progress can only put the end of a wait later than now and the time of a stall together.
        """
        timers = self._place.timers
        now = time.monotonic()
        deadline, phase = timers.deadline()
        left = math.inf if deadline is None else deadline - now
        if left <= 0:
            self._expire(phase)
            return
        left = min(left, timers.timeouts.stall or math.inf)
        if not math.isinf(left):
            self._timer = self._loop.call_later(left, self._watch)

    def _expire(self, phase: str) -> None:
        """Let the server go, and make room for another call; what has come can still be read."""
        content = self._response.content
        if content.is_eof() or content.exception() is not None:
            return
        self._expired = phase
        with suppress(RuntimeError):  # somebody waits for data: there is none
            self._unread = content.read_nowait()
        self._abort()
        self._response.close()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()


class _Held:
    """An open session, held until it is closed: by its pool, with its loop, or when the interpreter ends.

    The loop closes it through an asynchronous generator, which every loop closes when it shuts down.
    """

    all: ClassVar[set["_Held"]] = set()

    def __init__(self, session: "ClientSession", loop: Loop) -> None:
        self.session = session
        self.loop = loop
        self._guard = self._until_closed()

    async def begin(self) -> None:
        """Hold the session from now on."""
        await self._guard.__anext__()
        self.all.add(self)

    async def close(self) -> None:
        """Close the session; on a loop that is closed, this never waits."""
        await self._guard.aclose()

    def close_soon(self) -> None:
        """Close the session in its own loop, from any thread."""
        if self.loop.is_closed():
            self.close_now()
        else:
            self.loop.call_soon_threadsafe(lambda: _closing.add(self.loop.create_task(self.close())))

    def close_now(self) -> None:
        """Close the session of a loop that does not run."""
        closing = self.close()
        if not self.loop.is_closed():
            self.loop.run_until_complete(closing)
            return
        with suppress(StopIteration):
            closing.send(None)

    async def _until_closed(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.session.close()
            self.all.discard(self)


_closing: WeakSet["asyncio.Task[None]"] = WeakSet()


def _let_go(held: "dict[Loop, _Held]", pid: int) -> None:
    """Close what a pool leaves behind."""
    if pid == os.getpid():
        for each in list(held.values()):
            each.close_soon()


@atexit.register
def _close_the_last() -> None:
    """Close the sessions of loops that nobody closed; aiohttp would complain of them."""
    for held in list(_Held.all):
        if not held.loop.is_running():
            held.close_now()


class SessionPool:
    """Requests to one server that do not block, from any number of event loops.

    Args:
        route: The way to the server.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self._urls: dict[str, Any] = {}
        self._forget()

    def _forget(self) -> None:
        """Begin without sessions. Those of a parent process stay held: closing them would change its event loop."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._held: dict[Loop, _Held] = {}
        weakref.finalize(self, _let_go, self._held, self._pid).atexit = False

    def open(self, request: HttpRequest, timers: Timers) -> "_Opened":
        """Send a request and wait for the answer's headers; see `AsyncTransport.open`."""
        return _Opened(self, request, timers)

    async def aclose(self) -> None:
        """Close the connections of this event loop, and those of loops that are closed."""
        loop = asyncio.get_running_loop()
        with self._lock:
            gone = [self._held.pop(key) for key in list(self._held) if key is loop or key.is_closed()]
        for held in gone:
            await held.close()

    async def _session(self) -> "ClientSession":
        if self._pid != os.getpid():
            self._forget()
        loop = asyncio.get_running_loop()
        found = self._held.get(loop)
        if found is not None and not found.session.closed:
            return found.session
        await self.aclose()
        held = _Held(_new_session(self.route), loop)
        await held.begin()
        with self._lock:
            self._held[loop] = held
        return held.session

    async def ask(self, request: HttpRequest, place: Place) -> "ClientResponse":
        """Send a request, again if the server had closed the connection that waited for it."""
        session = await self._session()
        for resend in range(MAX_RESENDS + 1):
            opening = _Opening(place, large=len(request.body) > LARGE)
            token = _opening.set(opening)
            problem = None
            stale = False
            try:
                return await self._send(session, request, opening)
            except BaseException as error:
                opening.abort()
                own = opening.own(error)
                problem = place.timed_out(opening.expired or "total") if own else place.failed(error)
                if problem is None or (isinstance(error, asyncio.CancelledError) and not own):
                    raise
                stale = opening.reused and isinstance(problem, ConnectionFailedError) and _unanswered(error)
            finally:
                opening.leave()
                _opening.reset(token)
            if not stale or resend == MAX_RESENDS:
                raise problem.with_traceback(None)
        raise AssertionError("the last resend returned or raised")

    async def _send(self, session: "ClientSession", request: HttpRequest, opening: _Opening) -> "ClientResponse":
        route = self.route
        body = request.body
        headers = route.headers_of(request)
        options: dict[str, Any] = {}
        if route.proxy:
            options["proxy"] = f"http://{route.proxy[0]}:{route.proxy[1]}"
            if route.proxy_auth and route.secure:
                options["proxy_headers"] = {"proxy-authorization": route.proxy_auth}
        if len(body) > LARGE:
            headers["content-length"] = str(len(body))
        return await session.request(
            request.method,
            self._url(request.path),
            data=opening.pieces(body) if len(body) > LARGE else body or None,
            headers=headers,
            allow_redirects=False,
            **options,
        )

    def _url(self, path: str) -> Any:
        url = self._urls.get(path)
        if url is None:
            from yarl import URL  # noqa: PLC0415 - comes with aiohttp, which is slow to import

            url = self._urls[path] = URL(f"{self.route.origin}{self.route.prefix}{path}", encoded=True)
        return url


class _Opened:
    """An answer for as long as its context lasts.

    It is no generator: a loop that ends closes generators in any order, the caller's before or after this one.
    """

    def __init__(self, pool: SessionPool, request: HttpRequest, timers: Timers) -> None:
        self._pool = pool
        self._request = request
        self._timers = timers
        self._reply: SessionReply | None = None

    async def __aenter__(self) -> SessionReply:
        place = Place(self._pool.route, self._timers, streaming=self._request.streaming)
        response = await self._pool.ask(self._request, place)
        try:
            self._reply = SessionReply(response, read_head(response.status, response.headers.items(), place), place)
        finally:
            if self._reply is None:
                response.close()
        return self._reply

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reply is None:
            return
        try:
            if kind is None:
                await self._reply.finish()
        finally:
            self._reply.close()


_opening: ContextVar[_Opening] = ContextVar("opening")
"""The opening of the running task, which aiohttp's hooks report to."""


def _unanswered(error: BaseException) -> bool:
    """Tell whether nothing of an answer came; aiohttp hands out what it has of a head that was cut."""
    return isinstance(getattr(error, "message", ""), str)


def _new_session(route: Route) -> "ClientSession":
    import aiohttp  # noqa: PLC0415 - slow, and not needed by blocking callers
    from aiohttp.connector import Connection  # noqa: PLC0415 - the same

    class Connector(aiohttp.TCPConnector):
        async def connect(
            self, req: "aiohttp.ClientRequest", traces: list[Any], timeout: aiohttp.ClientTimeout
        ) -> Connection:
            connection = await super().connect(req, traces, timeout)
            _opening.get().transport = connection.transport
            return connection

    async def queued(*_: object) -> None:
        _opening.get().enter("pool")

    async def connecting(*_: object) -> None:
        _opening.get().enter("connect")

    async def connected(*_: object) -> None:
        _opening.get().connected(reused=False)

    async def reused(*_: object) -> None:
        _opening.get().connected(reused=True)

    trace = aiohttp.TraceConfig()
    trace.on_connection_queued_start.append(queued)
    trace.on_connection_create_start.append(connecting)
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(reused)
    config = route.config
    connector = Connector(
        limit=config.max_connections,
        keepalive_timeout=config.keepalive_expiry or None,
        force_close=not config.keepalive_expiry,
        ssl=route.tls() or True,
        resolver=aiohttp.ThreadedResolver(),
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        trace_configs=[trace],
    )
