"""Direct connections over blocking sockets, every wait under the deadlines of the call.

A socket waits in `recv` and `send` no longer than the call may. What has been received is read before a deadline is
declared, and a server that answers before it has read the whole request is heard.
"""

import math
import os
import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import wait as wait_for_futures
from contextlib import suppress

from vllm_connect.config.config import Timeouts
from vllm_connect.errors import VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import PUNCTUAL, Deadlines
from vllm_connect.transport.error_mapping import Call
from vllm_connect.transport.http1 import MalformedResponseError, ResponseParser
from vllm_connect.transport.reply import GRACE, READ_SIZE, Reply
from vllm_connect.transport.resolver import ATTEMPT_DELAY, Address, look_up

__all__ = ["SocketConnection", "connect"]

WRITE_SIZE = 262144
SOON = Timeouts(first_token=GRACE)

NOT_NOW = (BlockingIOError, TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises that has received nothing, or has no room to send."""
GONE = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What a socket raises whose other end is closed."""


class _Ended(Exception):  # noqa: N818 - it is turned into an error of ours
    """The server closed the connection."""


def connect(call: Call) -> "SocketConnection":
    """Open a connection to the server of a call.

    Raises:
        ConnectionFailedError: The server was not reached.
        RequestTimeoutError: It was not reached in time.
        ConfigurationError: A file of the TLS settings cannot be read.
    """
    call.enter_phase("connect")
    sock = None
    try:
        tls = call.target.tls()
        sock = _first_to_answer(_addresses(call), call)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if tls is not None:
            sock.settimeout(_left(call))
            sock = tls.wrap_socket(sock, server_hostname=call.target.host, do_handshake_on_connect=False)
            sock.do_handshake()
        return SocketConnection(sock)
    except BaseException as error:
        if sock is not None:
            sock.close()
        problem = call.failed(error)
        if problem is None:
            raise
    raise problem.with_traceback(None)


def _left(call: Call) -> float | None:
    """Return the seconds that are left of a phase, None for any number.

    Raises:
        RequestTimeoutError: Nothing is left.
    """
    now = time.monotonic()
    end = call.deadlines.end_of_wait(now)
    if now >= end:
        raise call.timed_out(call.deadlines.next_deadline()[1])
    return None if math.isinf(end) else end - now


def _addresses(call: Call) -> Sequence[Address]:
    found = look_up(call.target.host, call.target.port)
    while not found.done():
        wait_for_futures([found], _left(call))
    return found.result()


def _first_to_answer(addresses: Sequence[Address], call: Call) -> socket.socket:
    """Connect to the address that answers first, beginning with the next one whenever none has (RFC 8305)."""
    waiting = list(addresses)
    problem: OSError | None = None
    with selectors.DefaultSelector() as attempts:
        try:
            while waiting or attempts.get_map():
                if waiting:
                    attempts.register(_begin(waiting.pop(0)), selectors.EVENT_WRITE)
                left = _left(call)
                if waiting:
                    left = min(ATTEMPT_DELAY, ATTEMPT_DELAY if left is None else left)
                for key, _ in attempts.select(left):
                    sock: socket.socket = key.fileobj  # type: ignore[assignment]  # what was registered
                    attempts.unregister(sock)
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if not code:
                        return sock
                    sock.close()
                    problem = OSError(code, os.strerror(code))
        finally:
            for key in list(attempts.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # the same
    raise problem or OSError("the name has no address")


def _begin(address: Address) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    sock.settimeout(0)
    try:
        sock.connect_ex(where)  # what is wrong with it shows when the socket is ready
    except BaseException:
        sock.close()
        raise
    return sock


class SocketConnection:
    """A direct connection to the server, and what is known of its response.

    Args:
        sock: The socket, connected.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pid = os.getpid()
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._unsent = memoryview(b"")
        self._parser = ResponseParser()
        self._call: Call | None = None
        self._kept = False
        self._expired: str | None = None

    def ask(self, request: HttpRequest, call: Call) -> Reply | None:
        """Send a request and wait for the head of its response; see `BlockingConnection.ask`.

        The bytes of the request are in no variable here: tracebacks, and what reports them, show variables.
        """
        parser, kept = self._parser, self._kept
        problem: VllmError | None = None
        self._kept = True
        self._call = call
        try:
            parser.start()
            self._unsent = memoryview(call.target.write(request))
            self._send(call)
            call.enter_phase("headers")
            while parser.head is None:
                self._receive(call)
            if not (kept and parser.head.is_idle_timeout()):
                return Reply(parser.head, call, self)
        except (*GONE, _Ended) as error:
            problem = call.failed(error) or call.cut("the connection ended before the headers did")
            if kept and not parser.started:
                return None
        except Exception as error:
            problem = call.failed(error)
            if problem is None:
                raise
        if problem is None:
            return None
        raise problem.with_traceback(None)

    def receive(self) -> bytes:
        """Return what was received of the body, waiting for it; see `Received`."""
        parser, call = self._parser, self._call
        if call is None:
            raise RuntimeError("the response is closed")
        problem: VllmError | None = None
        try:
            while not parser.has_body() and not parser.complete:
                self._receive(call)
            return parser.take()
        except _Ended:
            problem = call.cut("the body is not complete")
        except Exception as error:
            problem = call.failed(error)
            if problem is None:
                raise
        raise problem.with_traceback(None)

    def finish(self, *, orderly: bool) -> bool:
        """End the response; see `BlockingConnection.finish`."""
        parser, call, self._call = self._parser, self._call, None
        is_open = not (parser.complete or parser.has_body() or self._unsent or self._expired)
        if orderly and is_open and call is not None:
            with suppress(VllmError, OSError, MalformedResponseError, _Ended):
                self._receive(Call(call.target, Deadlines(SOON, time.monotonic()), streaming=call.streaming))
        return orderly and parser.complete and parser.reusable and not self._unsent

    def is_alive(self) -> bool:
        """Check that nothing was received on an idle connection, neither data nor its end."""
        self._sock.settimeout(0)
        try:
            self._sock.recv(1)
        except NOT_NOW:
            return True
        except OSError:
            return False
        return False

    def expire(self, now: float) -> bool:
        """Close the connection if the caller does not read the response; what was received can still be read."""
        call = self._call
        if call is None or call.phase != "body" or self._expired:
            return False
        due, phase = call.deadlines.next_deadline()
        if now < due:
            return False
        self._expired = phase
        with suppress(OSError):  # the server was first
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # TLS's own would end the decryption
        return True

    def close(self) -> None:
        """Close the connection so that the server sees it at once, unless it is another process's too."""
        self._parser.close()
        if self._pid == os.getpid():
            with suppress(OSError):  # the server was first
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _send(self, call: Call) -> None:
        """Send what is unsent, until the server refuses the request or closes the connection."""
        self._sock.settimeout(0)
        while True:
            sent = 0
            with suppress(*NOT_NOW):
                try:
                    sent = self._sock.send(self._unsent[:WRITE_SIZE])
                except GONE:
                    return  # the server may have answered before
            self._unsent = self._unsent[sent:]
            if not self._unsent:
                return
            if call.phase != "write":
                call.enter_phase("write")
            if not sent and self._is_refused(call):
                return

    def _is_refused(self, call: Call) -> bool:
        """Wait until there is room to send, or a response; return whether nothing more is to be sent."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
            events = ready.select(_left(call))
        if not any(mask & selectors.EVENT_READ for _, mask in events):
            return False
        try:
            with suppress(*NOT_NOW):
                size = self._sock.recv_into(self._buffer)
                if not size:
                    return True
                self._parser.feed(self._buffer[:size])
        except GONE:
            return True
        return self._parser.is_refused()

    def _receive(self, call: Call) -> None:
        while True:
            now = time.monotonic()
            end = call.deadlines.end_of_wait(now)
            if now < end + PUNCTUAL:
                self._sock.settimeout(None if math.isinf(end) else max(end - now, 0))
                with suppress(*NOT_NOW):
                    size = self._sock.recv_into(self._buffer)
                    break
                now = time.monotonic()
            if now >= end:
                raise call.timed_out(call.deadlines.next_deadline()[1])
        if size:
            self._parser.feed(self._buffer[:size])
        elif self._expired:
            raise call.timed_out(self._expired)
        elif not self._parser.feed_eof():
            raise _Ended
