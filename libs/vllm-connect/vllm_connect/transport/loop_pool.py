"""The pool's rules for event loops: calls that wait are awaited, and a call is an asynchronous context.

Each event loop has connections of its own, and so has each process. Nothing here keeps a loop alive: the loop holds its
connections, these hold their pool, and a transport finds the pool through a weak reference. The connections are closed
when the loop shuts its asynchronous generators down, as `asyncio.run` does; those of a loop that was dropped without
that are closed when the next loop begins.
"""

import asyncio
import math
import os
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from vllm_connect.errors import ConfigurationError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Call
from vllm_connect.transport.pool import Place, Pool, Pooled
from vllm_connect.transport.reply import READ_SIZE, AsyncReply
from vllm_connect.transport.target import Target

__all__ = ["DeadlineTimer", "LoopConnection", "LoopPool", "LoopPools", "wake", "within"]


class LoopConnection(Pooled, Protocol):
    """A connection of an event loop."""

    async def ask(self, request: HttpRequest, call: Call) -> AsyncReply | None:
        """Send a request and wait for the head of its response.

        Returns:
            The response; None where the server had closed this connection, which was kept, before it answered.
        """

    async def finish(self, *, orderly: bool) -> bool:
        """End the response; return whether the connection can serve again.

        Args:
            orderly: Whether to wait shortly for the end of the response, for that; False where an error has occurred.
        """


LAST_TURNS = 20
"""Turns of the event loop after a deadline before it counts: a loop that lags has not handled yet what arrived in time."""

C = TypeVar("C", bound=LoopConnection)
T = TypeVar("T")


class DeadlineTimer:
    """The one timer of a call in its event loop.

    It is not set for every wait and every piece of data, but looks at the deadline when that may have passed, and is set
    again if it has not.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._handle: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._deadlines: Deadlines | None = None
        self._on_timeout: Callable[[str], None] | None = None

    def start(self, deadlines: Deadlines, on_timeout: Callable[[str], None]) -> None:
        """Watch the deadlines of a call.

        Args:
            deadlines: Progress never brings them nearer than the limit of a stall, so that the timer need not know of it;
                call this again when a phase has begun.
            on_timeout: Called with the phase that took too long.
        """
        self._deadlines, self._on_timeout = deadlines, on_timeout
        self._set(deadlines, self._clock())

    def stop(self) -> None:
        """Watch nothing, and refer to nothing."""
        self._deadlines = self._on_timeout = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._due = math.inf

    def _set(self, deadlines: Deadlines, now: float) -> None:
        due = min(deadlines.end_of_wait(now), now + (deadlines.timeouts.stall or math.inf))
        if due < self._due:
            if self._handle is not None:
                self._handle.cancel()
            self._due = due
            self._handle = self._loop.call_later(max(due - now, 0), self._look)

    def _look(self) -> None:
        self._handle, self._due = None, math.inf
        deadlines, on_timeout = self._deadlines, self._on_timeout
        if deadlines is None or on_timeout is None:
            return
        now = self._clock()
        if now >= deadlines.end_of_wait(now):
            on_timeout(deadlines.next_deadline()[1])
        else:
            self._set(deadlines, now)


def wake(granted: "asyncio.Future[None]") -> None:
    """Complete a future that is waited for, unless the wait is over."""
    if not granted.done():
        granted.set_result(None)


async def within(call: Call, waited_for: "asyncio.Future[T]") -> T:
    """Wait for a future as long as a call may, and leave it alone where that is too long.

    Raises:
        RequestTimeoutError: It was too long.
    """
    turns = 0
    while not waited_for.done():
        now = time.monotonic()
        end = call.deadlines.end_of_wait(now)
        if now < end:
            await asyncio.wait((waited_for,), timeout=None if math.isinf(end) else end - now)
        elif turns < LAST_TURNS:
            turns += 1
            await asyncio.sleep(0)
        else:
            raise call.timed_out(call.deadlines.next_deadline()[1])
    return waited_for.result()


class LoopPool(Generic[C]):
    """Connections to one server, of one event loop.

    Args:
        target: The server.

    Attributes:
        loop: The event loop.
        buffer: What its connections receive into, one at a time.
    """

    def __init__(self, target: Target) -> None:
        config = target.config
        self.loop = asyncio.get_running_loop()
        self._thread = threading.current_thread()
        self._pid = os.getpid()
        self._pool: Pool[C] = Pool(config.max_connections, config.keepalive_expiry)
        self._open: set[C] = set()
        self._expiring: asyncio.TimerHandle | None = None
        self.buffer = memoryview(bytearray(READ_SIZE))
        for other in list(_all_pools):
            other.close_if_dropped()
        _all_pools.add(self)
        register = sys.get_asyncgen_hooks().firstiter
        if register is not None:
            register(self)  # type: ignore[arg-type]  # the loop calls `aclose` of what was registered, and nothing else

    async def checkout(self, call: Call) -> Place[C]:
        """Return a place for a call, waiting for it if need be.

        Raises:
            RequestTimeoutError: It was too long.
        """
        place = self._pool.request(time.monotonic())
        if not place.granted:
            granted: asyncio.Future[None] = self.loop.create_future()
            place.wake = partial(wake, granted)
            call.enter_phase("pool")
            try:
                await within(call, granted)
            except BaseException:
                self.checkin(place, keep=False)
                raise
        return place

    def checkin(self, place: Place[C], *, keep: bool) -> None:
        """Free a slot, and keep its connection or close it."""
        now = time.monotonic()
        self._pool.release(place, now, keep=keep)
        if keep and self._expiring is None:
            self._expire(now)

    def _expire(self, now: float | None = None) -> None:
        """Close idle connections when their time has come; the loop holds them, and this pool, until then."""
        now = time.monotonic() if now is None else now
        due = self._pool.close_expired(now)
        self._expiring = None if due is None else self.loop.call_later(due - now, self._expire)

    def reclaim(self) -> None:
        """Pass slots of streams that nobody reads to calls that wait."""
        self._pool.reclaim(time.monotonic())

    def opened(self, connection: C) -> None:
        """Record an open connection."""
        self._open.add(connection)

    def closed(self, connection: C) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._pool.discard(connection)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    async def aclose(self) -> None:
        """Close all connections, since the loop ends."""
        for connection in list(self._open):
            connection.close()
        if self._expiring is not None:
            self._expiring.cancel()
        await asyncio.sleep(0)  # the loop closes their sockets in its next turn

    def close_if_dropped(self) -> None:
        """Close the connections of a loop that is closed, and the idle ones of a loop that nothing runs any more."""
        if self._pid != os.getpid() or self.loop.is_running():
            return
        if self.loop.is_closed():
            for connection in list(self._open):
                connection.close()
        elif self._thread is threading.current_thread() or not self._thread.is_alive():
            self.close()

    def close_soon(self) -> None:
        """Close the idle connections in the loop's own thread."""
        if self._pid != os.getpid() or self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.close)


_all_pools: "weakref.WeakSet[LoopPool[Any]]" = weakref.WeakSet()


class LoopPools(Generic[C]):
    """Connections to one server, for any number of event loops.

    Args:
        target: The server.
        connect: Opens a connection for a call.
    """

    def __init__(self, target: Target, connect: "Callable[[LoopPool[C], Call], Awaitable[C]]") -> None:
        self.target = target
        self.connect = connect
        self._pools: weakref.WeakValueDictionary[tuple[int, int], LoopPool[C]] = weakref.WeakValueDictionary()
        weakref.finalize(self, _close_soon, self._pools).atexit = False

    def open(self, request: HttpRequest, deadlines: Deadlines) -> "_Exchange[C]":
        """Send a request and wait for the head of its response; see `AsyncTransport.open`."""
        return _Exchange(self, request, Call(self.target, deadlines, streaming=request.streaming))

    async def aclose(self) -> None:
        """Close the idle connections of this event loop; those in use are closed when their response is."""
        self.of_this_loop().close()
        await asyncio.sleep(0)  # the loop closes their sockets in its next turn

    def of_this_loop(self) -> LoopPool[C]:
        """Return the connections of the running event loop.

        Raises:
            ConfigurationError: It is not one of asyncio.
        """
        try:
            key = (os.getpid(), id(asyncio.get_running_loop()))
        except RuntimeError:
            key = None
        if key is None:
            raise ConfigurationError(
                "asynchronous calls need a running event loop of asyncio: under trio, run the blocking call with "
                "trio.to_thread.run_sync"
            )
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = LoopPool(self.target)
        return pool


class _Exchange(Generic[C]):
    """One request and its response, as an asynchronous context.

    It is not a generator: a loop that ends closes generators in any order, the caller's before or after this one.
    """

    __slots__ = ("_call", "_place", "_pool", "_pools", "_request")

    def __init__(self, pools: LoopPools[C], request: HttpRequest, call: Call) -> None:
        self._pools = pools
        self._request = request
        self._call = call

    async def __aenter__(self) -> AsyncReply:
        call = self._call
        self._pool = pool = self._pools.of_this_loop()
        self._place = place = await pool.checkout(call)
        try:
            if place.connection is not None:
                reply = await place.connection.ask(self._request, call)
                if reply is not None:
                    return reply
                place.connection.close()
            place.connection = await self._pools.connect(pool, call)
            reply = await place.connection.ask(self._request, call)
        except BaseException:
            pool.checkin(place, keep=False)
            raise
        if reply is None:
            raise RuntimeError("a new connection was taken for one that was kept")
        return reply

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        place = self._place
        keep = False
        try:
            keep = place.connection is not None and await place.connection.finish(orderly=kind is None)
        finally:
            self._pool.checkin(place, keep=keep)


def _close_soon(pools: "weakref.WeakValueDictionary[tuple[int, int], LoopPool[C]]") -> None:
    for pool in list(pools.values()):
        pool.close_soon()
