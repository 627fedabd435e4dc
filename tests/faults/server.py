"""A server that misbehaves to the byte: each request is answered by a script, a list of actions on its connection.

`FaultServer([send(b"HTTP/1.1 200 OK\\r\\n"), reset])` breaks off in the headers of every answer; with several scripts,
the first request gets the first one, and the last script serves all further ones. Requests are kept and counted, and
so are connections; `hung_up` tells when a client closed one while a script was waiting.
"""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TypeAlias

from typing_extensions import Self

RECEIVE = 65536
CROWD = 4
"""Connections that fill a queue of length 0 for sure."""


@dataclass(frozen=True)
class Request:
    """A request as it came.

    Attributes:
        line: The request line.
        headers: The headers, names in lower case.
        body: The body.
        connection: The number of the connection it came over, from 0.
        at: When it had come, of `time.monotonic`.
    """

    line: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    at: float = 0.0

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


class Hangup(Exception):  # noqa: N818 - it is no error, it ends a script
    """The connection is over."""


@dataclass
class Connection:
    """One connection, as an action sees it."""

    sock: socket.socket
    number: int
    server: "FaultServer"
    request: Request | None = None
    _buffer: bytes = b""

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            self.server.hung_up.append(time.monotonic())
            raise Hangup from None

    def wait(self, seconds: float | None) -> None:
        """Wait, and take note if the client hangs up in the meantime."""
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(RECEIVE)
        except TimeoutError:
            self.sock.settimeout(None)
            return
        except OSError:
            data = b""
        if not data:
            self.server.hung_up.append(time.monotonic())
            raise Hangup
        self._buffer += data

    def receive(self) -> Request | None:
        """Read the next request, None at the end of the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        self._buffer = rest
        size = int(headers.get("content-length", 0))
        while len(self._buffer) < size:
            if not self._more():
                return None
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return Request(line, headers, body, self.number, time.monotonic())

    def _more(self) -> bool:
        try:
            data = self.sock.recv(RECEIVE)
        except OSError:
            return False
        self._buffer += data
        return bool(data)


Action: TypeAlias = Callable[[Connection], None]
Script: TypeAlias = Sequence[Action]


# Actions


def send(data: bytes) -> Action:
    """Send bytes in one write."""
    return lambda connection: connection.send(data)


def trickle(data: bytes, size: int = 1, pause: float = 0.0) -> Action:
    """Send bytes in pieces."""

    def act(connection: Connection) -> None:
        for at in range(0, len(data), size):
            connection.send(data[at : at + size])
            if pause:
                connection.wait(pause)

    return act


def forever(data: bytes, pause: float = 0.0) -> Action:
    """Send bytes again and again until the client hangs up."""

    def act(connection: Connection) -> None:
        while True:
            connection.send(data)
            if pause:
                connection.wait(pause)

    return act


def wait(seconds: float) -> Action:
    """Wait, or until the client hangs up."""
    return lambda connection: connection.wait(seconds)


def read_some(connection: Connection) -> None:
    """Wait for the client's first bytes."""
    connection.wait(None)


def say(connection: Connection) -> None:
    """Tell the test that the script has come so far."""
    connection.server.said.set()


def stall(connection: Connection) -> None:
    """Wait until the client hangs up."""
    while True:
        connection.wait(None)


def close(_connection: Connection) -> None:
    """End the connection in order (FIN)."""
    raise Hangup


def reset(connection: Connection) -> None:
    """Break the connection off (RST)."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Hangup


# Answers


def head(status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """Spell the head of an answer."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(body: bytes | object = b"{}", status: str = "200 OK", headers: Mapping[str, str] | None = None) -> Script:
    """Answer with a body of known length; anything but bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [
        send(
            head(status, {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})})
            + data
        )
    ]


STREAM_HEAD = head(headers={"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Spell one chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(data: object) -> bytes:
    """Spell one event in a chunk of its own, as vLLM does."""
    text = data if isinstance(data, str) else json.dumps(data)
    return chunk(f"data: {text}\n\n".encode())


def stream(*events: object, done: bool = True) -> Script:
    """Answer with a stream of events, each in a write of its own."""
    ends = [send(event("[DONE]")), send(END)] if done else []
    return [send(STREAM_HEAD), *(send(event(each)) for each in events), *ends]


# The server


class FaultServer:
    """Answers by script on a free port of 127.0.0.1.

    Args:
        scripts: One for each request, the last one for all further ones.
        tls: Speak TLS with this context.
        greeting: Actions on a new connection before any request is read.
        deaf: Accept no connection, so that connecting never ends.

    Attributes:
        requests: The requests that came.
        connections: How many connections were accepted.
        busy: How many scripts are at work.
        hung_up: Times, of `time.monotonic`, at which a client hung up on a script.
        said: Set by the action `say`.
    """

    def __init__(
        self, *scripts: Script, tls: ssl.SSLContext | None = None, greeting: Script = (), deaf: bool = False
    ) -> None:
        self.scripts = scripts
        self.tls = tls
        self.greeting = greeting
        self.busy = 0
        self.requests: list[Request] = []
        self.connections = 0
        self.hung_up: list[float] = []
        self.said = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0 if deaf else 512)
        self._crowd: list[socket.socket] = []
        self._deaf = deaf
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._open)

    def wait_for_hang_up(self, seconds: float = 30.0) -> float:
        """Wait until a client hung up on a script; return when."""
        until = time.monotonic() + seconds
        while not self.hung_up:
            if time.monotonic() > until:
                raise AssertionError("the client did not hang up")
            time.sleep(0.002)
        return self.hung_up[-1]

    def wait_until_closed(self, seconds: float = 30.0) -> None:
        """Wait until no connection is open."""
        until = time.monotonic() + seconds
        while self.open_connections:
            if time.monotonic() > until:
                raise AssertionError(f"{self.open_connections} connections are still open")
            time.sleep(0.002)

    def __enter__(self) -> Self:
        if self._deaf:
            self._fill()
        else:
            self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for sock in (self._listener, *self._crowd):
            sock.close()
        with self._lock:
            for sock in self._open:
                _shut(sock)
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _fill(self) -> None:
        """Fill the queue of connections: the kernel leaves those that follow without an answer."""
        while len(self._crowd) < CROWD:
            sock = socket.socket()
            sock.settimeout(0)
            sock.connect_ex(("127.0.0.1", self.port))
            self._crowd.append(sock)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                number = self.connections
                self.connections += 1
            self._start(partial(self._serve, sock, number))

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()  # the client does not trust us
            return
        with self._lock:
            self._open.add(sock)
        try:
            self._talk(Connection(sock, number, self))
        except Hangup:
            pass  # the script is over
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            self.busy += 1
        try:
            yield
        finally:
            with self._lock:
                self.busy -= 1

    def _talk(self, connection: Connection) -> None:
        with self._working():
            for act in self.greeting:
                act(connection)
        while (request := connection.receive()) is not None:
            connection.request = request
            with self._lock:
                script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
                self.requests.append(request)
            with self._working():
                for act in script:
                    act(connection)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # the client was first
        sock.shutdown(socket.SHUT_RDWR)
