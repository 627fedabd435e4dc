"""Blocking HTTP/1.1 over sockets, with a pool, and deadlines that hold for every read.

`http.client` connects, speaks TLS and to proxies, and is what a recorder such as vcrpy replaces. Messages are written
and read below it: it parses headers as e-mail, which costs more in every call, and its `read1` gives one HTTP chunk, which
is one event, at a time, where all chunks of one read come out of ours as one piece.
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
from contextlib import contextmanager

from vllm_connect.config.config import Timeouts
from vllm_connect.errors import ConnectionFailedError, VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Place
from vllm_connect.transport.framing import framing_of
from vllm_connect.transport.heads import RawHead, read_raw_head, write_request
from vllm_connect.transport.message import GRACE, Body, Head, read_head
from vllm_connect.transport.target import Route
from vllm_connect.transport.timed_socket import Line, seconds

__all__ = ["SocketPool", "SocketReply"]

READ_SIZE = 65536
SOON = Timeouts(first_token=GRACE)
LOOK = 1.0
"""Seconds between two looks for streams that nobody reads; where no slot is free, every call looks."""


Read = Callable[[int], bytes]


class _Connection:
    """A connection to the server, and what is known of it."""

    def __init__(self, route: Route, place: Place) -> None:
        client = _connected(route, place)
        self.uses = 0
        self.idle_since = 0.0
        self._recorder: http.client.HTTPConnection | None = None
        self._line: Line | None = None
        if type(client).__module__ != "http.client" or client.sock is None:
            self._recorder = client
            return
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._line = Line(client.sock, place)
        self._reader = io.BufferedReader(self._line, READ_SIZE)

    def ask(self, request: HttpRequest, place: Place) -> tuple[RawHead, Read]:
        """Send a request, wait for the headers of the answer, and give them with what reads the body.

        The request's headers are in no variable here: tracebacks, and what reports them, show variables.
        """
        route = place.route
        target = route.target(request.path)
        self.uses += 1
        if self._recorder is not None:
            self._recorder.request(request.method, target, request.body or None, route.headers_of(request))
            response = self._recorder.getresponse()
            return RawHead(response.status, _unframed(response.getheaders()), lasting=False), response.read1
        if self._line is None:
            raise RuntimeError("a connection has a socket or a recorder")
        self._line.place = place
        self._line.send(write_request(request.method, target, route.netloc, route.headers_of(request), request.body))
        return read_raw_head(self._reader.readline), self._reader.read1

    def unanswered(self) -> bool:
        """Tell whether nothing came for the last request."""
        return self._line is not None and not self._line.received

    def expire(self, now: float) -> bool:
        """Let the server go if nobody has read its answer for too long."""
        return self._line is not None and self._line.expire(now)

    def close(self) -> None:
        """Close the connection."""
        if self._recorder is not None:
            self._recorder.close()
        if self._line is not None:
            self._line.hang_up()


def _connected(route: Route, place: Place) -> http.client.HTTPConnection:
    """Connect to the server, or to the proxy before it."""
    host, port = route.proxy or (route.host, route.port)
    tls = route.tls()
    timeout = seconds(place.deadlines.timeouts.connect, place.deadlines)
    client = (
        http.client.HTTPConnection(host, port, timeout=timeout)
        if tls is None
        else http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)
    )
    if tls is not None and route.proxy:
        client.set_tunnel(route.host, route.port, {"proxy-authorization": route.proxy_auth} if route.proxy_auth else {})
    try:
        client.connect()
    except BaseException:
        client.close()
        raise
    return client


def _unframed(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what says where a body ends: a recorder gives it whole."""
    return [(name, value) for name, value in headers if name.lower() not in ("content-length", "transfer-encoding")]


class SocketReply:
    """An answer whose body is read from a socket.

    Args:
        head: Its head.
        read: Reads what has come of the body, and waits if nothing has.
        place: Where the call is.
        lasting: Whether the server keeps the connection open.
    """

    def __init__(self, head: Head, read: Read, place: Place, *, lasting: bool) -> None:
        self.status = head.status
        self.headers = head.headers
        self.request_id = head.request_id
        self._place = place
        self._body = Body(head, place)
        self._framing = framing_of(head.headers)
        self._read = read
        self._lasting = lasting

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
        if not self._lasting:
            return False
        if not self._framing.ended:
            self._place.deadlines = Deadlines(SOON, time.monotonic())
            try:
                rest = self._receive()
            except VllmError:
                return False
            if rest:
                return False
        return self._framing.ended and not self._framing.surplus


class _Idle:
    """The connections of one process that wait for a request, those that are lent, and the slots for all of them."""

    def __init__(self, slots: int) -> None:
        self.slots = threading.BoundedSemaphore(slots)
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []
        self._lent: set[_Connection] = set()
        self.next_look = 0.0

    def lend(self, connection: _Connection) -> None:
        """Give a connection to the reader of an answer."""
        with self._lock:
            self._lent.add(connection)

    def take_back(self, connection: _Connection) -> bool:
        """Take a connection from its reader; False if it expired in the meantime, and its slot is another's."""
        with self._lock:
            lent = connection in self._lent
            self._lent.discard(connection)
        return lent

    def expire(self, now: float) -> None:
        """Let go of the streams that somebody holds and has not read for too long."""
        self.next_look = now + LOOK
        with self._lock:
            expired = {connection for connection in self._lent if connection.expire(now)}
            self._lent -= expired
        for _ in expired:
            self.slots.release()

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
        self._idles: dict[int, _Idle] = {}  # by process

    def _idle(self) -> _Idle:
        """Give this process's connections; threads that come first at once get the same."""
        pid = os.getpid()
        idle = self._idles.get(pid)
        if idle is None:
            for other in list(self._idles):
                if other != pid and (inherited := self._idles.pop(other, None)) is not None:
                    inherited.close()  # of the parent, which goes on with its own ends
            idle = self._idles.setdefault(pid, _Idle(self._route.config.max_connections))
            weakref.finalize(self, idle.close)
        return idle

    @contextmanager
    def open(self, request: HttpRequest, deadlines: Deadlines) -> Iterator[SocketReply]:
        """Send a request and wait for the answer's headers; see `Transport.open`."""
        idle = self._idle()
        place = Place(self._route, deadlines, streaming=request.streaming)
        _wait_for_slot(idle, place)
        connection = None
        keep = False
        try:
            connection, raw, read = self._ask(idle, request, place)
            idle.lend(connection)
            reply = SocketReply(read_head(raw.status, raw.headers, place), read, place, lasting=raw.lasting)
            yield reply
            keep = reply.reusable()
        finally:
            ours = connection is None or idle.take_back(connection)
            if connection is not None and keep and ours:
                idle.put(connection)
            elif connection is not None:
                connection.close()
            if ours:
                idle.slots.release()

    def close(self) -> None:
        """Close the connections that wait; those in use are closed when their answer is."""
        self._idle().close()

    def _ask(self, idle: _Idle, request: HttpRequest, place: Place) -> tuple[_Connection, RawHead, Read]:
        """Send a request over a connection that waits, or over a new one if the server has closed that."""
        route = self._route
        connection = idle.take(route.config.keepalive_expiry)
        while True:
            problem = None
            place.phase = "connect"
            try:
                connection = connection or _Connection(route, place)
                return connection, *connection.ask(request, place)
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
    now = time.monotonic()
    if now >= idle.next_look:
        idle.expire(now)
    if idle.slots.acquire(blocking=False):
        return
    idle.expire(now)
    deadlines = place.deadlines
    left = deadlines.remaining(now)
    wait = min(deadlines.timeouts.pool or math.inf, left)
    if not idle.slots.acquire(timeout=None if math.isinf(wait) else max(wait, 0)):
        raise place.timed_out("pool" if wait < left else "total")
