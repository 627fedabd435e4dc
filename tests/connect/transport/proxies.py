"""Proxies that lead to a server: `CONNECT` over plain and encrypted connections, and SOCKS 5.

`with Connect() as proxy` has the address `proxy.url` and keeps what it was asked in `proxy.asked`. Whatever name it is asked
for, it leads to `127.0.0.1`, at the port that was asked for.
"""

import socket
import ssl
import threading
import time
from contextlib import suppress
from types import TracebackType

from typing_extensions import Self

__all__ = ["Connect", "Socks"]


class _Proxy:
    """A proxy on a free port.

    Args:
        tls: Speak TLS with this context.
        drip: Seconds between two bytes of the answer to a request for a connection.
    """

    scheme = ""

    def __init__(self, tls: ssl.SSLContext | None = None, drip: float = 0.0) -> None:
        self._tls = tls
        self._drip = drip
        self.asked: list[str] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{self.scheme}{'s' if tls else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError, IndexError):
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._open.append(sock)
            server = socket.create_connection(("127.0.0.1", self._greet(sock)))
            self._open.append(server)
            threading.Thread(target=_pump, args=(sock, server), daemon=True).start()
            _pump(server, sock)

    def _greet(self, sock: socket.socket) -> int:
        """Take a request for a connection, and return the port."""
        raise NotImplementedError

    def _answer(self, sock: socket.socket, data: bytes) -> None:
        if not self._drip:
            sock.sendall(data)
            return
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(self._drip)


class Connect(_Proxy):
    """A proxy that takes `CONNECT`."""

    scheme = "http"

    def _greet(self, sock: socket.socket) -> int:
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        self.asked.append(head.decode())
        self._answer(sock, b"HTTP/1.1 200 Connection established\r\n\r\n")
        return int(head.split()[1].rpartition(b":")[2])


class Socks(_Proxy):
    """A proxy of SOCKS 5, without authentication (RFC 1928)."""

    scheme = "socks5"

    def _greet(self, sock: socket.socket) -> int:
        sock.recv(2 + sock.recv(2, socket.MSG_PEEK)[1])
        sock.sendall(b"\x05\x00")
        request = sock.recv(512)
        self.asked.append(request[5:-2].decode("latin-1"))
        self._answer(sock, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        return int.from_bytes(request[-2:], "big")


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
