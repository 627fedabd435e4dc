r"""A server on the loopback interface that answers from recordings or from a script, over a real socket.

Recordings are cassettes of vcrpy (https://vcrpy.readthedocs.io). A stream is stored whole and sent in pieces:

    with replay("cassettes/weather.yaml") as server:
        ChatVllm(base_url=server.url, model="demo").invoke("What is the weather in Paris?")

A script needs no recording; a list is a stream, so `script([{"choices": [...]}])` sends
`data: {"choices":[...]}\n\ndata: [DONE]\n\n`. `record` stands between a client and a real server and writes a cassette.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from sys import exc_info
from types import TracebackType
from typing import Any, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from typing_extensions import Self

__all__ = ["Answer", "Asked", "LoopbackServer", "Recording", "Size", "pieces", "read", "record", "replay", "script"]

EVENT_STREAM = "text/event-stream"
JSON = "application/json"
PATIENCE = 300.0
"""Seconds that a recorder waits for the real server."""

Size: TypeAlias = Literal["events", "whole"] | int
"""How much of a stream is sent at once: an event, everything, or that many bytes."""


@dataclass(frozen=True)
class Asked:
    """A request as it came.

    Attributes:
        method: `GET` or `POST`.
        path: The path with its query.
        body: The JSON body, None where there was none.
        headers: The headers, names in lower case; a cassette has none.
    """

    method: str
    path: str
    body: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        body: The bytes of the body, of a stream too.
        status: The HTTP status.
        content_type: The media type; `text/event-stream` is sent in pieces.
        cut: The connection is closed before the body's end is told, as by a server that dies.
    """

    body: bytes = field(default=b"", repr=False)
    status: int = 200
    content_type: str = JSON
    cut: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200) -> "Answer":
        """Answer with a JSON value."""
        return cls(_encoded(value), status)

    @classmethod
    def events(cls, values: Sequence[Any], *, done: bool = True, cut: bool = False) -> "Answer":
        """Answer with a stream.

        Args:
            values: The JSON value of each event.
            done: End the stream with `[DONE]`.
            cut: See the class.
        """
        lines = [*(_encoded(value) for value in values), *([b"[DONE]"] if done else [])]
        return cls(b"".join(b"data: %b\n\n" % line for line in lines), content_type=EVENT_STREAM, cut=cut)

    @classmethod
    def error(cls, status: int, message: str = "scripted", kind: str = "ScriptedError") -> "Answer":
        """Answer with an error in vLLM's shape."""
        return cls.json({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)


@dataclass(frozen=True)
class Recording:
    """A request and what a real server answered."""

    asked: Asked
    answer: Answer


class LoopbackServer:
    """A server on 127.0.0.1 for as long as its context lasts.

    Args:
        answer: Gives the answer to a request; called from one thread for each connection, one call at a time.
        size: How much of a stream is sent at once.
        end: Called when the context is left.

    Attributes:
        exchanges: What was asked and answered, in the order in which it came.
        unmatched: Those that had no recording, or no answer left in the script.
        unused: Recordings that nobody asked for, known when the context is left.
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
        """The requests, in the order in which they came."""
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
            self._server.hang_up()
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
                message = f"nothing is recorded or scripted for {asked.method} {asked.path} with the body {text}"
                answer = Answer.error(500, message, "NoRecording")
            self.exchanges.append(Recording(asked, answer))
        return answer


def replay(cassette: str | Path, *, size: Size = "events") -> LoopbackServer:
    """Answer from a cassette.

    A request finds its recording by method, path and JSON body. Ids of tool calls are compared by their order only and a
    `request_id` not at all. Requests that are equal get the recordings in turn, and the last of them from then on.

    Args:
        cassette: The file; one that is missing holds no recording.
        size: How much of a stream is sent at once.

    Returns:
        The server, which answers 500 to what was not recorded and lists it as `unmatched`.

    Raises:
        ImportError: vcrpy is not installed.
    """
    answers: dict[str, list[Answer]] = {}
    keys: dict[str, Asked] = {}
    for recording in read(cassette):
        key = _key(recording.asked)
        keys.setdefault(key, recording.asked)
        answers.setdefault(key, []).append(recording.answer)

    def answer(asked: Asked) -> Answer | None:
        key = _key(asked)
        keys.pop(key, None)
        left = answers.get(key)
        if left is None:
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    server = LoopbackServer(answer, size=size, end=lambda: server.unused.extend(keys.values()))
    return server


def script(
    *answers: Answer | Mapping[str, Any] | Sequence[Mapping[str, Any]] | int,
    model: str = "demo",
    context_window: int = 4096,
    size: Size = "events",
) -> LoopbackServer:
    """Answer from a script.

    Args:
        *answers: What each POST gets, in order: a JSON body, a list of events, the status of an error, or an `Answer`.
        model: The one model of `/v1/models`.
        context_window: Its context window in tokens.
        size: How much of a stream is sent at once.

    Returns:
        The server, which also answers `/health`, `/version` and `/v1/models`.
    """
    left = [_scripted(answer) for answer in answers]
    card = {"id": model, "object": "model", "owned_by": "vllm", "root": model, "max_model_len": context_window}
    known = {
        "/health": Answer(),
        "/version": Answer.json({"version": "0.32.0"}),
        "/v1/models": Answer.json({"object": "list", "data": [card]}),
    }

    def answer(asked: Asked) -> Answer | None:
        if asked.method == "GET":
            return known.get(asked.path)
        return left.pop(0) if left else None

    return LoopbackServer(answer, size=size)


def record(cassette: str | Path, base_url: str) -> LoopbackServer:
    """Pass requests on to a real server and write a cassette when the context is left.

    The cassette keeps the content types and no other header, and no address of the server. A request that is equal to
    an earlier one is answered as that was.

    Args:
        cassette: The file; one that exists is replaced.
        base_url: The real server, without `/v1`.

    Raises:
        ImportError: vcrpy is not installed.
    """
    tape = _Tape(Path(cassette), base_url)
    return LoopbackServer(tape.answer, end=tape.save)


def read(cassette: str | Path) -> list[Recording]:
    """Read the recordings of a cassette, in order.

    Raises:
        ImportError: vcrpy is not installed.
    """
    from vcr.cassette import Cassette  # noqa: PLC0415 - an optional dependency

    loaded = Cassette.load(path=str(cassette))
    return [_recording(request, response) for request, response in zip(loaded.requests, loaded.responses, strict=True)]


def pieces(answer: Answer, size: Size) -> Iterator[bytes]:
    """Cut the body of an answer.

    Args:
        answer: The answer.
        size: How much of a stream is sent at once; what is no stream stays whole where it says "events".
    """
    if isinstance(size, int):
        yield from (answer.body[at : at + size] for at in range(0, len(answer.body), size))
    elif size == "whole" or answer.content_type != EVENT_STREAM:
        yield answer.body
    else:
        *events, rest = answer.body.split(b"\n\n")
        yield from (event + b"\n\n" for event in events)
        yield rest


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

    def hang_up(self) -> None:
        """Wake the threads that wait for a next request."""
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
        """Log nothing."""

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


class _Tape:
    """Records with vcrpy's own connection, so that nothing else in the process is patched."""

    FORWARDED: ClassVar = ("accept", "authorization", "content-type")

    def __init__(self, path: Path, base_url: str) -> None:
        from vcr.cassette import Cassette  # noqa: PLC0415 - an optional dependency
        from vcr.record_mode import RecordMode  # noqa: PLC0415 - an optional dependency
        from vcr.stubs import (  # noqa: PLC0415 - an optional dependency
            VCRHTTPConnection,
            VCRHTTPSConnection,
        )

        path.unlink(missing_ok=True)
        self._path = path
        self._cassette = Cassette.load(
            path=str(path),
            record_mode=RecordMode.ALL,
            before_record_request=_bare_request,
            before_record_response=_bare_response,
        )
        at = urlsplit(base_url)
        self._prefix = at.path.rstrip("/")
        self._netloc = at.netloc
        kind = VCRHTTPSConnection if at.scheme == "https" else VCRHTTPConnection
        self._connection_class = type("RecordedConnection", (kind,), {"cassette": self._cassette})
        self._answers: dict[str, Answer] = {}

    def answer(self, asked: Asked) -> Answer:
        key = _key(asked)
        if key not in self._answers:
            connection = self._connection_class(self._netloc, timeout=PATIENCE)
            try:
                body = None if asked.body is None else _encoded(asked.body)
                headers = {name: asked.headers[name] for name in self.FORWARDED if name in asked.headers}
                connection.request(asked.method, self._prefix + asked.path, body, headers)
                connection.getresponse().read()
            finally:
                connection.close()
            last = _recording(self._cassette.requests[-1], self._cassette.responses[-1])
            self._answers[key] = last.answer
        return self._answers[key]

    def save(self) -> None:
        from vcr.persisters.filesystem import (  # noqa: PLC0415 - an optional dependency
            FilesystemPersister,
        )

        if len(self._cassette):
            data = {"requests": self._cassette.requests, "responses": self._cassette.responses}
            FilesystemPersister.save_cassette(str(self._path), data, serializer=_Readable)


class _Readable:
    """Writes YAML in which every line of a stream is a line."""

    @staticmethod
    def serialize(cassette: dict[str, Any]) -> str:
        import yaml  # type: ignore[import-untyped] # noqa: PLC0415 - an optional dependency without types

        class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
            def represent_str(self, text: str) -> Any:
                style = "|" if "\n" in text else None
                return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

        Dumper.add_representer(str, Dumper.represent_str)
        written: str = yaml.dump(cassette, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=10**9)
        return written


def _bare_request(request: Any) -> Any:
    from vcr.request import Request  # noqa: PLC0415 - an optional dependency

    at = urlsplit(request.uri)
    target = f"{at.path}?{at.query}" if at.query else at.path
    return Request(request.method, f"http://127.0.0.1{target}", request.body, {})


def _bare_response(response: dict[str, Any]) -> dict[str, Any]:
    """Keep the content type, and a model's name where the server tells the folder that it was loaded from."""
    kinds = {name.lower(): values for name, values in response["headers"].items()}
    body = response["body"]["string"]
    if b'"max_model_len"' in body and b'"root"' in body:
        listed = json.loads(body)
        for card in listed["data"]:
            card["root"] = card["root"].rsplit("/", 1)[-1] if card["root"].startswith("/") else card["root"]
        body = _encoded(listed)
    return {
        "status": response["status"],
        "headers": {"content-type": kinds["content-type"]} if "content-type" in kinds else {},
        "body": {"string": body},
    }


def _recording(request: Any, response: Any) -> Recording:
    at = urlsplit(request.uri)
    asked = Asked(
        request.method,
        f"{at.path}?{at.query}" if at.query else at.path,
        json.loads(request.body) if request.body else None,
    )
    headers = {name.lower(): values for name, values in response["headers"].items()}
    (kind,) = headers.get("content-type") or [JSON]
    answer = Answer(response["body"]["string"], response["status"]["code"], kind.partition(";")[0].strip())
    return Recording(asked, answer)


def _key(asked: Asked) -> str:
    ids: dict[str, str] = {}
    body = {**asked.body} if isinstance(asked.body, dict) else asked.body
    if isinstance(body, dict):
        body.pop("request_id", None)
        if isinstance(body.get("messages"), list):
            body["messages"] = [_renamed(message, ids) for message in body["messages"]]
    return json.dumps([asked.method, asked.path, body], sort_keys=True)


def _renamed(message: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Replace the ids of tool calls by their order."""
    message = {**message}
    if message.get("tool_calls"):
        message["tool_calls"] = [{**call, "id": _name(call.get("id"), ids)} for call in message["tool_calls"]]
    if "tool_call_id" in message:
        message["tool_call_id"] = _name(message["tool_call_id"], ids)
    return message


def _name(identifier: Any, ids: dict[str, str]) -> str:
    return ids.setdefault(str(identifier), f"call {len(ids)}")


def _scripted(answer: Answer | Mapping[str, Any] | Sequence[Mapping[str, Any]] | int) -> Answer:
    if isinstance(answer, Answer):
        return answer
    if isinstance(answer, int):
        return Answer.error(answer)
    return Answer.json(answer) if isinstance(answer, Mapping) else Answer.events(answer)


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
