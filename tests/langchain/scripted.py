"""A server that gives scripted answers at the byte boundary: it is the HTTP client of the model under test."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from langchain_vllm import ChatVllm

__all__ = ["Answer", "Reply", "Scripted", "server_error"]

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


@dataclass(frozen=True)
class Answer:
    """An answer of a model."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[tuple[str, str]] = ()
    finish: str = "stop"
    stop_reason: str | int | None = None
    logprobs: bool = False
    cut: bool = False
    refusal: str = ""

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.reasoning:
            message["reasoning"] = self.reasoning
        if self.refusal:
            message["refusal"] = self.refusal
        if self.calls:
            message["tool_calls"] = [_call(i, name, arguments) for i, (name, arguments) in enumerate(self.calls)]
        tokens = _tokens(self.text) if self.logprobs else None
        choice = {"index": 0, "message": message, "finish_reason": self.finish, "stop_reason": self.stop_reason}
        return {**_head("chat.completion"), "choices": [{**choice, "logprobs": tokens}], "usage": USAGE}

    def pieces(self) -> Iterator[dict[str, Any]]:
        yield _piece({"role": "assistant", "content": ""})
        for word in _split(self.reasoning):
            yield _piece({"reasoning": word})
        for word in _split(self.text):
            yield _piece({"content": word}, logprobs=_tokens(word) if self.logprobs else None)
        for word in _split(self.refusal):
            yield _piece({"refusal": word})
        for i, (name, arguments) in enumerate(self.calls):
            yield _piece({"tool_calls": [{"index": i, **_call(i, name, "")}]})
            for part in _split(arguments, max(3, len(arguments) // 20)):
                yield _piece({"tool_calls": [{"index": i, "function": {"arguments": part}}]})
        if not self.cut:
            yield _piece({}, finish_reason=self.finish, stop_reason=self.stop_reason)
            yield {**_head("chat.completion.chunk"), "choices": [], "usage": USAGE}


def _head(kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": kind,
        "created": 1795230000,
        "model": "demo",
        "system_fingerprint": "vllm-0.32.0",
    }


def _piece(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    whole = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None, **choice}
    return {**_head("chat.completion.chunk"), "choices": [whole]}


def _call(index: int, name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _split(text: str, size: int = 4) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


def _tokens(text: str) -> dict[str, Any]:
    return {
        "content": [{"token": t, "logprob": -0.5, "bytes": list(t.encode()), "top_logprobs": []} for t in _split(text)]
    }


@dataclass(frozen=True)
class Reply:
    """A response that is not an answer, built for each request."""

    status: int
    content: Any = b""
    media_type: str = "application/json"

    def __call__(self) -> httpx.Response:
        return httpx.Response(self.status, content=self.content, headers={"content-type": self.media_type})


def server_error(status: int, message: str) -> Reply:
    error = {"message": message, "type": "Error", "param": None, "code": status}
    return Reply(status, json.dumps({"error": error}).encode())


@dataclass
class Scripted:
    """Gives its answers in order, the last one repeatedly, and records the requests."""

    answers: Sequence[Answer | Reply | dict[str, Any]]
    joined: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    headers: list[httpx.Headers] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/version":
            return httpx.Response(200, json={"version": "0.32.0"})
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "demo", "max_model_len": 4096}]})
        self.urls.append(str(request.url))
        self.headers.append(request.headers)
        body = json.loads(request.content)
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(body)
        if isinstance(answer, Reply):
            return answer()
        if isinstance(answer, dict):
            return httpx.Response(200, json=answer)
        if not body.get("stream"):
            return httpx.Response(200, json=answer.whole())
        events = [f"data: {json.dumps(piece)}\n\n".encode() for piece in answer.pieces()]
        if not answer.cut:
            events.append(b"data: [DONE]\n\n")
        stream = _Pieces([b"".join(events)] if self.joined else events)
        return httpx.Response(200, stream=stream, headers={"content-type": "text/event-stream"})

    async def asynchronously(self, request: httpx.Request) -> httpx.Response:
        return self(request)

    def model(self, **fields: Any) -> ChatVllm:
        return ChatVllm(
            **{
                "base_url": "http://127.0.0.1:9",
                "model": "demo",
                "max_retries": 0,
                "http_client": httpx.Client(transport=httpx.MockTransport(self)),
                "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(self.asynchronously)),
                **fields,
            }
        )


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    async def __aiter__(self) -> Any:
        for piece in self._pieces:
            yield piece
