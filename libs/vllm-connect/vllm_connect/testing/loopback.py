"""A server on the loopback interface, over a real socket, whose answers a function returns.

`with LoopbackServer(lambda asked: Answer.json({})) as server:` serves at `server.url` and keeps all `exchanges`.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from sys import exc_info
from types import TracebackType
from typing import Any

from typing_extensions import Self

from vllm_connect.protocol.sse import EVENT_STREAM
from vllm_connect.testing.exchanges import Answer, Asked, Recording, Size, pieces

__all__ = ["LoopbackServer"]


class LoopbackServer:
    """A server on 127.0.0.1 for as long as its context lasts.

    Args:
        answer: Returns the answer to a request; called from one thread for each connection, one call at a time.
        size: How much of a stream is sent at once.
        end: Called when the context is left.

    Attributes:
        exchanges: The requests and their answers, in order of arrival.
        unmatched: Requests without a recording, or without an answer left in the script.
        unused: Recordings that were not requested, known when the context is left.
    """

    def __init__(
        self, answer: Callable[[Asked], Answer | None], *, size: Size = "events", end: Callable[[], None] | None = None
    ) -> None:
        self.exchanges: list[Recording] = []
        self.unmatched: list[Asked] = []
        self.unused: list[Asked] = []
        self._answer = answer
        self._size = size
        self._end = end
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def asked(self) -> list[Asked]:
        """The requests, in order of arrival."""
        return [exchange.asked for exchange in self.exchanges]

    @property
    def url(self) -> str:
        """The base URL; the server must be running."""
        if self._server is None:
            raise RuntimeError("the server is not running: use it as a context manager")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = _Server(self._respond, self._size)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="loopback", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.close_connections()
            self._server.server_close()
            self._server = self._thread = None
        if self._end is not None:
            self._end()

    def _respond(self, asked: Asked) -> Answer:
        with self._lock:
            answer = self._answer(asked)
            if answer is None:
                self.unmatched.append(asked)
                text = json.dumps(asked.body, ensure_ascii=False)
                message = f"nothing is recorded or scripted for {asked.method} {asked.path} with the body {text}: run pytest with --record"
                answer = Answer.error(500, message, "NoRecording")
            self.exchanges.append(Recording(asked, answer))
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, respond: Callable[[Asked], Answer], size: Size) -> None:
        self.respond = respond
        self.size = size
        self._open: set[socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close open connections, which ends the threads that wait for a next request."""
        for connection in list(self._open):
            with suppress(OSError):  # the client was faster
                connection.shutdown(SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(exc_info()[1], ConnectionError):  # a client may leave in the middle of a stream
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Discard the message."""

    def _answer(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.respond(Asked(self.command, self.path, json.loads(text) if text else None, headers))
        chunked = answer.content_type == EVENT_STREAM or answer.cut
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.send_header(*(("transfer-encoding", "chunked") if chunked else ("content-length", str(len(answer.body)))))
        self.end_headers()
        for piece in pieces(answer, self.server.size):
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if answer.cut:
            self.close_connection = True
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")
