"""HTTP/1.1 that does not block, over aiohttp, with one session for each event loop.

`async with SessionPool(route).open(request, deadlines) as reply` belongs to the loop it runs in, and so does its session;
a process that was forked has sessions of its own.
"""

import asyncio
import os
import threading
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any

from vllm_connect.errors import ConnectionFailedError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadline_timer import Alarm
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Place
from vllm_connect.transport.message import read_head
from vllm_connect.transport.opening import LARGE, Opening, opening
from vllm_connect.transport.session import HeldSession, Loop, let_go, new_session
from vllm_connect.transport.session_reply import SessionReply
from vllm_connect.transport.target import Route

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["SessionPool"]

MAX_RESENDS = 2
"""How often a request is sent again, free of charge, because the server had closed the connection that waited."""


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
        self._held: dict[Loop, HeldSession] = {}
        weakref.finalize(self, let_go, self._held, self._pid).atexit = False

    def open(self, request: HttpRequest, deadlines: Deadlines) -> "_Opened":
        """Send a request and wait for the answer's headers; see `AsyncTransport.open`."""
        return _Opened(self, request, deadlines)

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
        held = HeldSession(new_session(self.route), loop)
        await held.begin()
        with self._lock:
            self._held[loop] = held
        return held.session

    async def ask(self, request: HttpRequest, place: Place, alarm: Alarm) -> "ClientResponse":
        """Send a request, again if the server had closed the connection that waited for it."""
        session = await self._session()
        for resend in range(MAX_RESENDS + 1):
            way = Opening(place, alarm, large=len(request.body) > LARGE)
            token = opening.set(way)
            problem = None
            stale = False
            try:
                return await self._send(session, request, way)
            except BaseException as error:
                alarm.stop()
                way.abort()
                own = way.own(error)
                problem = place.timed_out(way.expired or "total") if own else place.failed(error)
                if problem is None or (isinstance(error, asyncio.CancelledError) and not own):
                    raise
                stale = way.reused and isinstance(problem, ConnectionFailedError) and _unanswered(error)
            finally:
                opening.reset(token)
            if not stale or resend == MAX_RESENDS:
                raise problem.with_traceback(None)
        raise AssertionError("the last resend returned or raised")

    async def _send(self, session: "ClientSession", request: HttpRequest, way: Opening) -> "ClientResponse":
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
            data=way.pieces(body) if len(body) > LARGE else body or None,
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

    def __init__(self, pool: SessionPool, request: HttpRequest, deadlines: Deadlines) -> None:
        self._pool = pool
        self._request = request
        self._timers = deadlines
        self._reply: SessionReply | None = None

    async def __aenter__(self) -> SessionReply:
        place = Place(self._pool.route, self._timers, streaming=self._request.streaming)
        alarm = Alarm(self._timers)
        response = await self._pool.ask(self._request, place, alarm)
        try:
            head = read_head(response.status, response.headers.items(), place)
            self._reply = SessionReply(response, head, place, alarm)
        finally:
            if self._reply is None:
                alarm.stop()
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


def _unanswered(error: BaseException) -> bool:
    """Tell whether nothing of an answer came; aiohttp hands out what it has of a head that was cut."""
    return isinstance(getattr(error, "message", ""), str)
