"""A server that gives scripted answers, complete or as a stream, as the request asks.

`FakeVllm(Answer("Hello"), Answer(calls=[("add", '{"a": 1}')]))` answers the first chat request with text and every
further one with a call. The content of an answer and the way it is sent are independent, so tests can compare ways.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        text: Its text.
        reasoning: Its reasoning.
        calls: Names and arguments of its tool calls.
        finish: Its finish reason, by default `stop` or `tool_calls`; None truncates a stream.
        usage: Its token counts.
        piece: How many characters each event of a stream has.
        pause: Seconds between two events, to keep them from arriving together.
        logprobs: One entry for each token.
        extra: More fields of the response.
        status: The HTTP status; anything but 200 sends `extra` alone.
        events: The chunks of the stream, in place of those of the text.
    """

    text: str = ""
    reasoning: str = ""
    calls: Sequence[tuple[str, str]] = ()
    finish: str | None = ""
    usage: Mapping[str, Any] | None = field(default_factory=lambda: dict(USAGE))
    piece: int = 4
    pause: float = 0
    logprobs: Sequence[Mapping[str, Any]] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    events: Sequence[Mapping[str, Any]] | None = None

    @property
    def reason(self) -> str | None:
        return self.finish if self.finish != "" else "tool_calls" if self.calls else "stop"

    def complete(self, count: int) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.reasoning:
            message["reasoning"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [
                {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for index, (name, arguments) in enumerate(self.calls)
            ]
        choice: dict[str, Any] = {"message": message, "finish_reason": self.reason}
        if self.logprobs is not None:
            choice["logprobs"] = {"content": self.logprobs}
        choices = [{**choice, "index": index} for index in range(count)]
        return {**HEAD, "object": "chat.completion", "choices": choices, "usage": self.usage, **self.extra}

    def chunks(self) -> Iterator[dict[str, Any]]:
        yield _chunk({"role": "assistant", "content": ""})
        for piece in self._pieces(self.reasoning):
            yield _chunk({"reasoning": piece})
        for position, piece in enumerate(self._pieces(self.text)):
            logprobs = self.logprobs[position : position + 1] if self.logprobs is not None else None
            yield _chunk({"content": piece}, logprobs=logprobs and {"content": logprobs})
        for index, (name, arguments) in enumerate(self.calls):
            head = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name}}
            yield _chunk({"tool_calls": [head]})
            for piece in self._pieces(arguments):
                yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        if self.reason is not None:
            yield {**_chunk({}, self.reason), **self.extra}
        if self.usage is not None:
            yield {**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": self.usage}

    def _pieces(self, text: str) -> list[str]:
        return [text[at : at + self.piece] for at in range(0, len(text), self.piece)]


HEAD = {"id": "chatcmpl-1", "model": "demo", "created": 1}


def _chunk(delta: Mapping[str, Any], finish: str | None = None, logprobs: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """Build a chunk for `Answer.events`."""
    return _chunk(delta, finish)


class FakeVllm:
    """Answers chat requests in turn, the last answer for all further ones.

    Args:
        answers: The answers.
        window: The context window that it reports.

    Attributes:
        requests: Path and JSON body of every request, in order.
        headers: The headers of every request.
        url: Where it is.
    """

    def __init__(self, *answers: Answer, window: int | None = 4096) -> None:
        self.answers = list(answers) or [Answer("Hello")]
        self.window = window
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.cut_off = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of the chat requests."""
        return [body for path, body in self.requests if path.endswith("/chat/completions")]

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    @contextmanager
    def running(self) -> Iterator["FakeVllm"]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def get(self, path: str) -> dict[str, Any]:
        if path == "/v1/models" and self.window:
            return {"data": [{"id": "demo", "root": "org/demo", "max_model_len": self.window}]}
        return {"version": "0.32.0"} if path == "/version" else {}

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
                """Log nothing."""

            def do_GET(self) -> None:
                fake.requests.append((self.path, {}))
                body = fake.get(self.path)
                self._json(200 if body else 404, body)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                fake.headers.append(dict(self.headers))
                fake.requests.append((self.path, body))
                if self.path == "/tokenize":
                    text = body.get("prompt") or json.dumps(body["messages"])
                    tokens = list(range(len(text.split())))
                    self._json(200, {"count": len(tokens), "tokens": tokens, "max_model_len": fake.window})
                    return
                answer = fake.next_answer()
                if answer.status != 200:
                    self._json(answer.status, dict(answer.extra))
                elif body.get("stream"):
                    self._stream(answer)
                else:
                    self._json(200, answer.complete(body.get("n", 1)))

            def _json(self, status: int, body: object) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _stream(self, answer: Answer) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                try:
                    for each in answer.chunks() if answer.events is None else answer.events:
                        self._event(json.dumps(each))
                        if answer.pause:
                            time.sleep(answer.pause)
                    if answer.reason is not None:
                        self._event("[DONE]")
                    self.wfile.write(b"0\r\n\r\n")
                except OSError:
                    fake.cut_off.set()
                    self.close_connection = True

            def _event(self, text: str) -> None:
                data = f"data: {text}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        return Handler
