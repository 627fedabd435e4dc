"""The pool's rules for threads: calls that wait block, and a call is a context.

Each process has connections of its own: a child that was forked leaves those of its parent alone.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Call
from vllm_connect.transport.pool import Place, Pool, Pooled
from vllm_connect.transport.reply import Reply
from vllm_connect.transport.target import Target

__all__ = ["BlockingConnection", "BlockingPool"]

LOOK = 1.0
"""Seconds between two looks for streams that their callers do not read, while a call waits for a place."""


class BlockingConnection(Pooled, Protocol):
    """A connection that blocks."""

    def ask(self, request: HttpRequest, call: Call) -> Reply | None:
        """Send a request and wait for the head of its response.

        Returns:
            The response; None where the server had closed this connection, which was kept, before it answered.
        """

    def finish(self, *, orderly: bool) -> bool:
        """End the response; return whether the connection can serve again.

        Args:
            orderly: Whether to wait shortly for the end of the response, for that; False where an error has occurred.
        """


C = TypeVar("C", bound=BlockingConnection)


class _Process(Generic[C]):
    """The connections of one process."""

    def __init__(self, size: int, keepalive_expiry: float) -> None:
        self.lock = threading.Lock()
        self.pool: Pool[C] = Pool(size, keepalive_expiry)
        self.next_look = 0.0

    def close(self) -> None:
        """Close the idle connections."""
        with self.lock:
            self.pool.close()


class BlockingPool(Generic[C]):
    """Connections to one server, for any number of threads.

    Args:
        target: The server.
        connect: Opens a connection for a call.
    """

    def __init__(self, target: Target, connect: Callable[[Call], C]) -> None:
        self.target = target
        self.connect = connect
        self._processes: dict[int, _Process[C]] = {}

    def open(self, request: HttpRequest, deadlines: Deadlines) -> "_Exchange[C]":
        """Send a request and wait for the head of its response; see `Transport.open`."""
        return _Exchange(self, request, Call(self.target, deadlines, streaming=request.streaming))

    def close(self) -> None:
        """Close the idle connections; those in use are closed when their response is."""
        self._process().close()

    def checkout(self, call: Call) -> Place[C]:
        """Return a place for a call, waiting for it if need be.

        Raises:
            RequestTimeoutError: It was too long.
        """
        process = self._process()
        now = time.monotonic()
        with process.lock:
            if now >= process.next_look:
                process.next_look = now + LOOK
                process.pool.reclaim(now)
            place = process.pool.request(now)
            if place.granted:
                return place
            granted = threading.Event()
            place.wake = granted.set
        try:
            self._wait(process, call, granted)
        except BaseException:
            self.checkin(place, keep=False)
            raise
        return place

    def checkin(self, place: Place[C], *, keep: bool) -> None:
        """Free a slot, and keep its connection or close it."""
        process = self._process()
        with process.lock:
            process.pool.release(place, time.monotonic(), keep=keep)

    def _wait(self, process: _Process[C], call: Call, granted: threading.Event) -> None:
        call.enter_phase("pool")
        while True:
            now = time.monotonic()
            with process.lock:
                process.pool.reclaim(now)
            end = call.deadlines.end_of_wait(now)
            if granted.wait(min(max(end - now, 0), LOOK)):
                return
            if time.monotonic() >= end:
                raise call.timed_out(call.deadlines.next_deadline()[1])

    def _process(self) -> _Process[C]:
        """Return this process's connections; threads that come first at once get the same."""
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            for other in list(self._processes):
                if other != pid and (inherited := self._processes.pop(other, None)) is not None:
                    inherited.pool.close()  # of the parent, which goes on with its own ends; its lock may be held for ever
            config = self.target.config
            process = self._processes.setdefault(pid, _Process(config.max_connections, config.keepalive_expiry))
            weakref.finalize(self, process.close)
        return process


class _Exchange(Generic[C]):
    """One request and its response, as a context."""

    __slots__ = ("_call", "_place", "_pool", "_request")

    def __init__(self, pool: BlockingPool[C], request: HttpRequest, call: Call) -> None:
        self._pool = pool
        self._request = request
        self._call = call

    def __enter__(self) -> Reply:
        pool, call = self._pool, self._call
        self._place = place = pool.checkout(call)
        try:
            if place.connection is not None:
                reply = place.connection.ask(self._request, call)
                if reply is not None:
                    return reply
                place.connection.close()
            place.connection = pool.connect(call)
            reply = place.connection.ask(self._request, call)
        except BaseException:
            pool.checkin(place, keep=False)
            raise
        if reply is None:
            raise RuntimeError("a new connection was taken for one that was kept")
        return reply

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        place = self._place
        keep = False
        try:
            keep = place.connection is not None and place.connection.finish(orderly=kind is None)
        finally:
            self._pool.checkin(place, keep=keep)
