"""Blocking HTTP/1.1 over the standard library's client, with a pool, and timers that hold for every read.

`http.client` connects, speaks TLS and to proxies, and reads the headers. Bodies are read below it, so that all chunks
of one read come out as one piece: its own `read1` gives one HTTP chunk, which is one event, at a time.
"""

import http.client
import io
import math
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from typing_extensions import Buffer

from vllm_connect.config import Timeouts
from vllm_connect.errors import ConnectionFailedError, VllmError
from vllm_connect.timers import Timers
from vllm_connect.wire.causes import Place
from vllm_connect.wire.framing import framing_of
from vllm_connect.wire.message import Body, Head, read_head
from vllm_connect.wire.request import HttpRequest
from vllm_connect.wire.route import Route

__all__ = ["SocketPool", "SocketReply"]

READ_SIZE = 65536
GRACE = 0.05
"""Seconds to wait for the end of a body of which nothing more is wanted, so that its connection can be kept."""
SOON = Timeouts(first_token=GRACE)
TICK = 5.0
"""Seconds that one system call waits at most; the same for every read, it need not be set for each."""
LEAST = 0.001
"""Seconds; a timeout of 0 would mean not to wait at all."""


def _seconds(limit: float | None, timers: Timers) -> float | None:
    """Give the time for one step: its own limit, or what is left of the total."""
    left = min(limit or math.inf, timers.left(time.monotonic()))
    return None if math.isinf(left) else max(left, LEAST)


class _Line(io.RawIOBase):
    """A connected socket in the form that `http.client` uses, every read of it under the timers of the call."""

    def __init__(self, sock: socket.socket, place: Place) -> None:
        super().__init__()
        self._sock = sock
        self._pid = os.getpid()
        self._unsent: list[bytes] = []
        self._timeout = sock.gettimeout()
        self.place = place
        self.received = 0
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        if self._unsent:
            self._send()
        while True:
            deadline, phase = self.place.timers.deadline()
            left = math.inf if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise self.place.timed_out(phase)
            self._set_timeout(max(min(left, TICK), LEAST))
            with suppress(TimeoutError):
                size = self._sock.recv_into(buffer)
                self.received += size
                self.ended = not size
                return size

    def _set_timeout(self, seconds: float | None) -> None:
        if seconds != self._timeout:
            self._sock.settimeout(seconds)
            self._timeout = seconds

    def sendall(self, data: bytes) -> None:
        """Keep the data until an answer is waited for: headers and body then leave together."""
        self._unsent.append(data)

    def _send(self) -> None:
        self.place.phase = "write"
        timers = self.place.timers
        self._set_timeout(_seconds(timers.timeouts.write, timers))
        data, self._unsent = b"".join(self._unsent), []
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it took all
            self._sock.sendall(data)
        self.place.phase = "headers"

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, READ_SIZE)

    def close(self) -> None:
        """Do nothing: `http.client` closes its socket while the body is still to be read."""

    def hang_up(self) -> None:
        """Close the connection so that the server sees it at once, unless it is another process's too."""
        if self._pid == os.getpid():
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._sock.close()  # the server was first
        self._sock.close()


class _Connection:
    """A connection to the server, and what is known of it."""

    def __init__(self, route: Route, place: Place) -> None:
        host, port = route.proxy or (route.host, route.port)
        tls = route.tls()
        timers = place.timers
        timeout = _seconds(timers.timeouts.connect, timers)
        client = (
            http.client.HTTPConnection(host, port, timeout=timeout)
            if tls is None
            else http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)
        )
        if tls is not None and route.proxy:
            client.set_tunnel(
                route.host, route.port, {"proxy-authorization": route.proxy_auth} if route.proxy_auth else {}
            )
        try:
            client.connect()
        except BaseException:
            client.close()
            raise
        self.line: _Line | None = None
        if client.sock is not None:  # a test's recording answers without one
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client.sock = self.line = _Line(client.sock, place)
        self.client = client
        self.uses = 0
        self.idle_since = 0.0

    def send(self, request: HttpRequest, place: Place) -> http.client.HTTPResponse:
        """Send a request and wait for the headers of the answer.

        The request's headers are in no variable here: tracebacks, and what reports them, show variables.
        """
        route = place.route
        target = route.target(request.path)
        if self.line is not None:
            self.line.place = place
            self.line.received = 0
        self.uses += 1
        self.client.request(request.method, target, request.body or None, route.headers_of(request))
        response = self.client.getresponse()
        if self.line is not None and self.line.ended:  # which http.client takes for the end of the headers
            raise http.client.RemoteDisconnected("the connection ended in the headers")
        return response

    def unanswered(self) -> bool:
        """Tell whether nothing came for the last request."""
        return self.line is not None and not self.line.received

    def close(self) -> None:
        """Close the connection."""
        self.client.close()
        if self.line is not None:
            self.line.hang_up()


class SocketReply:
    """An answer whose body is read from a socket.

    Args:
        response: The response, of which only the headers were read.
        head: Its head.
        place: Where the call is.
    """

    def __init__(self, response: http.client.HTTPResponse, head: Head, place: Place) -> None:
        self.status = head.status
        self.headers = head.headers
        self.request_id = head.request_id
        self._place = place
        self._body = Body(head, place)
        self._framing = framing_of(head.headers)
        recorded = response.fp is None  # a test's recording, which has no socket and no chunks
        self._read: Callable[[int], bytes] = response.read1 if recorded else response.fp.read1
        self._keeps = not recorded and not response.will_close

    def __iter__(self) -> Iterator[bytes]:
        """Read the body; each piece is all that has come since the last.

        Raises:
            TransportError: The body was cut, or a timer ran out.
            ProtocolError: The body is too large, or not what its headers say.
        """
        while not self._framing.ended:
            yield from self._body.unpack(self._receive())
        self._body.end()

    def _receive(self) -> bytes:
        problem = None
        try:
            data = self._read(READ_SIZE)
        except (OSError, http.client.HTTPException) as error:
            problem = self._place.failed(error)
            data = b""
        if problem is not None:
            raise problem.with_traceback(None)
        if data:
            return self._framing.feed(data)
        if not self._framing.eof():
            raise self._place.cut("the body is not complete")
        return b""

    def reusable(self) -> bool:
        """Tell whether the connection can serve again, after a short wait for an end that is about to come."""
        if not self._keeps:
            return False
        if not self._framing.ended:
            self._place.timers = Timers(SOON, time.monotonic())
            try:
                rest = self._receive()
            except VllmError:
                return False
            if rest:
                return False
        return self._framing.ended and not self._framing.surplus


class _Idle:
    """The connections of one process that wait for a request, and the slots for all that are open."""

    def __init__(self, slots: int) -> None:
        self.pid = os.getpid()
        self.slots = threading.BoundedSemaphore(slots)
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []

    def take(self, expiry: float) -> _Connection | None:
        """Take the connection used last, None if there is none that is fresh enough."""
        with self._lock:
            connection = self._connections.pop() if self._connections else None
        if connection is None or time.monotonic() - connection.idle_since < expiry:
            return connection
        connection.close()
        self.close()  # the others wait even longer
        return None

    def put(self, connection: _Connection) -> None:
        """Keep a connection."""
        connection.idle_since = time.monotonic()
        with self._lock:
            self._connections.append(connection)

    def close(self) -> None:
        """Close all that wait."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()


class SocketPool:
    """Blocking requests to one server, from any number of threads.

    Args:
        route: The way to the server.
    """

    def __init__(self, route: Route) -> None:
        self._route = route
        self._idle = self._fresh()

    def _fresh(self) -> _Idle:
        idle = _Idle(self._route.config.max_connections)
        weakref.finalize(self, idle.close)
        return idle

    @contextmanager
    def open(self, request: HttpRequest, timers: Timers) -> Iterator[SocketReply]:
        """Send a request and wait for the answer's headers; see `Transport.open`."""
        if self._idle.pid != os.getpid():
            self._idle.close()  # of the parent, which goes on with its own ends
            self._idle = self._fresh()
        idle = self._idle
        place = Place(self._route, timers, streaming=request.streaming)
        _wait_for_slot(idle, place)
        connection = None
        keep = False
        try:
            connection, response = self._ask(idle, request, place)
            head = read_head(response.status, response.getheaders(), place)
            reply = SocketReply(response, head, place)
            yield reply
            keep = reply.reusable()
            response.close()
        finally:
            if connection is not None:
                if keep:
                    idle.put(connection)
                else:
                    connection.close()
            idle.slots.release()

    def close(self) -> None:
        """Close the connections that wait; those in use are closed when their answer is."""
        self._idle.close()

    def _ask(self, idle: _Idle, request: HttpRequest, place: Place) -> tuple[_Connection, http.client.HTTPResponse]:
        """Send a request over a connection that waits, or over a new one if the server has closed that."""
        route = self._route
        connection = idle.take(route.config.keepalive_expiry)
        while True:
            problem = None
            place.phase = "connect"
            try:
                connection = connection or _Connection(route, place)
                return connection, connection.send(request, place)
            except (OSError, VllmError, http.client.HTTPException) as error:
                problem = place.failed(error)
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            stale = False
            if connection is not None:
                stale = connection.uses > 1 and connection.unanswered() and isinstance(problem, ConnectionFailedError)
                connection.close()
            if not stale and problem is not None:
                raise problem.with_traceback(None)
            connection = None


def _wait_for_slot(idle: _Idle, place: Place) -> None:
    timers = place.timers
    left = timers.left(time.monotonic())
    wait = min(timers.timeouts.pool or math.inf, left)
    if not idle.slots.acquire(timeout=None if math.isinf(wait) else max(wait, 0)):
        raise place.timed_out("pool" if wait < left else "total")
