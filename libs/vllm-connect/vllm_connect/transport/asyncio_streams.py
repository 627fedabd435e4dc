"""Direct connections in an event loop of asyncio, every wait under the deadlines of the call.

The loop hands over what it has received, which is parsed at once. A reader takes what was parsed; where it is slow, the
loop stops to read.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from vllm_connect.errors import VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.error_mapping import Call
from vllm_connect.transport.http1 import MalformedResponseError, ResponseParser
from vllm_connect.transport.loop_pool import DeadlineTimer, LoopPool, wake, within
from vllm_connect.transport.reply import GRACE, AsyncReply
from vllm_connect.transport.resolver import ATTEMPT_DELAY, Address, look_up
from vllm_connect.transport.target import Target

__all__ = ["StreamConnection", "connect"]

HIGH_WATER = 262144
"""Bytes that were received and not read at which the loop stops to read from a connection."""

Loop = asyncio.AbstractEventLoop
Pool = LoopPool["StreamConnection"]


async def connect(pool: Pool, call: Call) -> "StreamConnection":
    """Open a connection to the server of a call.

    Raises:
        ConnectionFailedError: The server was not reached.
        RequestTimeoutError: It was not reached in time.
        ConfigurationError: A file of the TLS settings cannot be read.
    """
    call.enter_phase("connect")
    task = pool.loop.create_task(_connect(pool, call.target))
    try:
        return await within(call, task)
    except BaseException as error:
        task.cancel()
        task.add_done_callback(_close_result)
        problem = call.failed(error)
        if problem is None:
            raise
    raise problem.with_traceback(None)


async def _connect(pool: Pool, target: Target) -> "StreamConnection":
    tls = target.tls()
    sock = await _first_to_answer(pool.loop, await _addresses(pool.loop, target))
    try:
        _, connection = await pool.loop.create_connection(
            partial(StreamConnection, pool, sock), sock=sock, ssl=tls, server_hostname=target.host if tls else None
        )
    except BaseException:
        sock.close()
        raise
    return connection


async def _addresses(loop: Loop, target: Target) -> Sequence[Address]:
    found = look_up(target.host, target.port)
    if not found.done():
        done: asyncio.Future[None] = loop.create_future()
        found.add_done_callback(partial(_wake_from_thread, loop, done))
        await done
    return found.result()


def _wake_from_thread(loop: Loop, done: "asyncio.Future[None]", _: "Future[list[Address]]") -> None:
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(wake, done)


async def _first_to_answer(loop: Loop, addresses: Sequence[Address]) -> socket.socket:
    """Connect to the address that answers first, beginning with the next one whenever none has (RFC 8305)."""
    waiting = list(addresses)
    attempts: set[asyncio.Task[socket.socket]] = set()
    problem: BaseException | None = None
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(loop.create_task(_dial(loop, waiting.pop(0))))
            done, _ = await asyncio.wait(
                attempts, timeout=ATTEMPT_DELAY if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                attempts.discard(task)
                problem = task.exception()
                if problem is None:
                    return task.result()
    finally:
        for task in attempts:
            task.cancel()
            task.add_done_callback(_close_result)
    raise problem or OSError("the name has no address")


async def _dial(loop: Loop, address: Address) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await loop.sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


def _close_result(task: "asyncio.Task[socket.socket] | asyncio.Task[StreamConnection]") -> None:
    """Close what a task has opened that is no longer waited for."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


class StreamConnection(asyncio.BufferedProtocol):
    """A direct connection to the server, and what is known of its response.

    Args:
        pool: The connections of the event loop.
        sock: The socket, connected; the loop reads from it and writes to it.
    """

    def __init__(self, pool: Pool, sock: socket.socket) -> None:
        self._pool = pool
        self._loop = pool.loop
        self._sock = sock
        self._parser = ResponseParser()
        self._timer = DeadlineTimer(pool.loop)
        self._transport: asyncio.Transport | None = None
        self._call: Call | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._problem: VllmError | None = None
        self._kept = False
        self._ended = False
        self._expired = False
        self._unread = 0
        self._is_paused = False
        self._is_blocked = False

    async def ask(self, request: HttpRequest, call: Call) -> AsyncReply | None:
        """Send a request and wait for the head of its response; see `LoopConnection.ask`.

        The bytes of the request are in no variable here: tracebacks, and what reports them, show variables.
        """
        parser, kept, transport = self._parser, self._kept, self._transport
        if transport is None:
            return None
        self._kept = True
        self._call = call
        parser.start()
        transport.write(call.target.write(request))
        if self._is_blocked:
            await self._drain(call)
        call.enter_phase("headers")
        self._timer.start(call.deadlines, self._on_timeout)
        while parser.head is None and not self._ended:
            await self._wait()
        if parser.head is None:
            if kept and not parser.started and not self._expired:
                return None
            raise (self._problem or call.cut("the connection ended before the headers did")).with_traceback(None)
        if kept and parser.head.is_idle_timeout():
            return None
        return AsyncReply(parser.head, call, self)

    async def receive(self) -> bytes:
        """Return what was received of the body, waiting for it; see `AsyncReceived`."""
        parser, call = self._parser, self._call
        if call is None:
            raise RuntimeError("the response is closed")
        while not parser.has_body() and not parser.complete:
            if self._ended:
                raise (self._problem or call.cut("the body is not complete")).with_traceback(None)
            await self._wait()
        self._unread = 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return parser.take()

    async def finish(self, *, orderly: bool) -> bool:
        """End the response; see `LoopConnection.finish`."""
        parser = self._parser
        self._timer.stop()
        self._call, call = None, self._call
        if orderly and not parser.complete and not self._ended and not self._is_blocked and not parser.has_body():
            self._call = call
            soon = self._loop.call_later(GRACE, self._wake)
            try:
                await self._wait()
            finally:
                soon.cancel()
                self._call = None
        return orderly and parser.complete and parser.reusable and not self._ended and not self._is_blocked

    def is_alive(self) -> bool:
        """Check that nothing was received on an idle connection, neither data nor its end."""
        if self._ended:
            return False
        try:
            self._sock.recv(1)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def expire(self, _: float) -> bool:
        """Return whether the timer has closed the connection."""
        return self._expired

    def close(self) -> None:
        """Close the connection so that the server sees it at once; what was received can still be read."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        self._ended = True
        self._timer.stop()
        self._parser.close()
        self._pool.closed(self)
        if not self._loop.is_closed():
            transport.abort()
        if not self._loop.is_running():
            self._sock.close()  # which the loop would have done in its next turn

    # Callbacks of asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Receive the transport."""
        self._transport = transport  # type: ignore[assignment]  # it reads and writes
        transport.set_write_buffer_limits(high=1, low=0)  # type: ignore[attr-defined]  # the same
        self._pool.opened(self)

    def get_buffer(self, _: int) -> memoryview:
        """Return the buffer to receive into, which is parsed before the loop goes on."""
        return self._pool.buffer

    def buffer_updated(self, size: int) -> None:
        """Parse what was received."""
        call = self._call
        if call is None:
            self.close()  # nobody asked for it
            return
        try:
            self._parser.feed(self._pool.buffer[:size])
        except MalformedResponseError as error:
            self._problem = call.failed(error)
            self.close()
        self._unread += size
        if self._unread > HIGH_WATER and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Handle the end of what the server sends; the loop closes the connection then."""
        tls = None if self._transport is None else self._transport.get_extra_info("ssl_object")
        with suppress(ssl.SSLError):  # the end was not encrypted, which anyone between can cause
            if tls is not None:
                tls.read(1)
            self._parser.feed_eof()

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the end of the connection."""
        if self._call is not None and error is not None and self._problem is None:
            self._problem = self._call.failed(error)
        self.close()
        self._wake()

    def pause_writing(self) -> None:
        """Record that the request is not completely sent yet."""
        self._is_blocked = True

    def resume_writing(self) -> None:
        """Record that the request was sent."""
        self._is_blocked = False
        self._wake()

    def _on_timeout(self, phase: str) -> None:
        if self._call is None or self._parser.complete:
            return
        self._problem = self._call.timed_out(phase)
        self._expired = True
        self.close()
        self._pool.reclaim()
        self._wake()

    async def _drain(self, call: Call) -> None:
        """Wait until the request is sent, or the server has answered, refuses it or closes the connection."""
        call.enter_phase("write")
        self._timer.start(call.deadlines, self._on_timeout)
        parser = self._parser
        while self._is_blocked and not (self._ended or parser.complete or parser.is_refused()):
            await self._wait()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None:
            wake(self._waiter)
