"""The clients that a fault is tried on, each sync or async, streamed or whole, in words that all of them share.

`made("langchain", url)` has `ask(prompt)` and `aask(prompt)`, which give what came, and `stream(prompt)` and
`astream(prompt)`, which give the client's own pieces; `joined(pieces)` is what came of them.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from langchain_core.messages import AIMessage
from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index_vllm import ToolCallArgumentsError, VllmLLM
from vllm_connect import AsyncVllmClient, ChatRequest, Completion, Delta, VllmClient, VllmConfig, fold

__all__ = ["CLIENTS", "Asker", "Came", "Core", "LangChain", "LlamaIndex", "failed", "made"]

Tools = Sequence[Mapping[str, Any]]


@dataclass
class Came:
    """What a client gave.

    Attributes:
        text: The answer's text.
        endpoints: Endpoints that the client would let run, or that its error keeps and that are whole.
        ids: Their ids.
        invalid: The arguments, as the model wrote them, of calls that the client says must not be run.
        finish: Why the model stopped.
        tokens: How many tokens the server counted.
        error: What it raised.
        early: It was raised when the client was made, before it was asked anything.
        partial: The text that the error keeps.
        kept: The arguments of calls that the error keeps and that must not be run.
        raw: The client's own answer.
    """

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    finish: str | None = None
    tokens: int | None = None
    error: BaseException | None = None
    early: bool = False
    partial: str | None = None
    kept: list[str] = field(default_factory=list)
    raw: Any = None


def failed(error: BaseException) -> Came:
    """Read what an error keeps of the answer."""
    partial: Completion | None = getattr(error, "partial", None)
    if partial is None:
        return Came(error=error)
    return Came(
        calls=[(call.name, call.parsed()) for call in partial.tool_calls],
        error=error,
        partial=partial.text,
        kept=[call.arguments for call in partial.invalid_tool_calls],
    )


class Asker(Protocol):
    """A client; the streams close the connection when they are closed."""

    @property
    def held(self) -> Any:
        """What a user holds: a model, or the core's client."""

    def ask(self, prompt: str) -> Came: ...
    async def aask(self, prompt: str) -> Came: ...
    def stream(self, prompt: str) -> Iterator[Any]: ...
    def astream(self, prompt: str) -> AsyncIterator[Any]: ...
    def joined(self, pieces: Sequence[Any]) -> Came: ...
    def close(self) -> None: ...
    async def aclose(self) -> None: ...


class Core:
    """`VllmClient` and `AsyncVllmClient`."""

    def __init__(
        self, url: str, *, tools: Tools = (), fields: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        blocking, waiting = (settings.pop(name, None) for name in ("http_client", "async_http_client"))
        self._fields = {"extra_body": settings.pop("extra_body", None), **(fields or {})}
        self._tools = tools
        config = VllmConfig(base_url=url, **settings)
        self.held = VllmClient(config, http_client=blocking)
        self._waiting = AsyncVllmClient(config, http_client=waiting, endpoints=self.held.endpoints)

    def _request(self, prompt: str) -> ChatRequest:
        messages = [{"role": "user", "content": prompt}]
        return ChatRequest(messages=messages, model="demo", tools=self._tools or None, **self._fields)

    def ask(self, prompt: str) -> Came:
        return self._came(self.held.complete(self._request(prompt)))

    async def aask(self, prompt: str) -> Came:
        return self._came(await self._waiting.complete(self._request(prompt)))

    def stream(self, prompt: str) -> Iterator[list[Delta]]:
        return self.held.stream(self._request(prompt))

    def astream(self, prompt: str) -> AsyncIterator[list[Delta]]:
        return self._waiting.stream(self._request(prompt))

    def joined(self, pieces: Sequence[list[Delta]]) -> Came:
        return self._came(fold([delta for deltas in pieces for delta in deltas], tools=self._tools or None))

    def close(self) -> None:
        self.held.close()

    async def aclose(self) -> None:
        self.held.close()
        await self._waiting.aclose()

    @staticmethod
    def _came(answer: Completion) -> Came:
        return Came(
            text=answer.text,
            calls=[(call.name, call.parsed()) for call in answer.tool_calls],
            ids=[call.id for call in answer.tool_calls],
            invalid=[call.arguments for call in answer.invalid_tool_calls],
            finish=answer.finish_reason,
            tokens=answer.usage.total_tokens if answer.usage else None,
            raw=answer,
        )


class LangChain:
    """A LangChain chat model; fields of a request are bound, and arguments are those of each call."""

    def __init__(
        self,
        url: str,
        *,
        tools: Tools = (),
        fields: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.held = self.build(url, **settings)
        self._arguments = arguments or {}
        bound = fields or {}
        self._chat = self.held.bind_tools(tools, **bound) if tools else self.held.bind(**bound) if bound else self.held

    def build(self, url: str, **settings: Any) -> Any:
        """Make the model."""
        if "async_http_client" in settings:
            settings["http_async_client"] = settings.pop("async_http_client")
        return ChatVllm(base_url=url, model="demo", **settings)

    def ask(self, prompt: str) -> Came:
        return self._came(self._chat.invoke(prompt, **self._arguments))

    async def aask(self, prompt: str) -> Came:
        return self._came(await self._chat.ainvoke(prompt, **self._arguments))

    def stream(self, prompt: str) -> Iterator[Any]:
        stream: Iterator[Any] = self._chat.stream(prompt, **self._arguments)
        return stream

    def astream(self, prompt: str) -> AsyncIterator[Any]:
        stream: AsyncIterator[Any] = self._chat.astream(prompt, **self._arguments)
        return stream

    def joined(self, pieces: Sequence[Any]) -> Came:
        total = pieces[0]
        for piece in pieces[1:]:
            total = total + piece
        return self._came(total)

    def close(self) -> None:
        if hasattr(self.held, "close"):
            self.held.close()

    async def aclose(self) -> None:
        if hasattr(self.held, "aclose"):
            await self.held.aclose()

    @staticmethod
    def _came(message: AIMessage) -> Came:
        return Came(
            text=message.text,
            calls=[(call["name"], call["args"]) for call in message.tool_calls],
            ids=[call["id"] or "" for call in message.tool_calls],
            invalid=[call["args"] or "" for call in message.invalid_tool_calls],
            finish=message.response_metadata.get("finish_reason"),
            tokens=message.usage_metadata["total_tokens"] if message.usage_metadata else None,
            raw=message,
        )


class LlamaIndex:
    """A LlamaIndex model; fields of a request are arguments of each call."""

    def __init__(
        self,
        url: str,
        *,
        tools: Tools = (),
        fields: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.held = self.build(url, **settings)
        self._given = {**({"tools": tools} if tools else {}), **(fields or {}), **(arguments or {})}

    def build(self, url: str, **settings: Any) -> Any:
        """Make the model."""
        return VllmLLM(base_url=url, model="demo", **settings)

    def ask(self, prompt: str) -> Came:
        return self._came(self.held.chat(_messages(prompt), **self._given))

    async def aask(self, prompt: str) -> Came:
        return self._came(await self.held.achat(_messages(prompt), **self._given))

    def stream(self, prompt: str) -> Iterator[ChatResponse]:
        stream: Iterator[ChatResponse] = self.held.stream_chat(_messages(prompt), **self._given)
        return stream

    async def astream(self, prompt: str) -> AsyncIterator[ChatResponse]:
        stream = await self.held.astream_chat(_messages(prompt), **self._given)
        try:
            async for piece in stream:
                yield piece
        finally:
            await stream.aclose()

    def joined(self, pieces: Sequence[ChatResponse]) -> Came:
        return self._came(pieces[-1], "".join(piece.delta or "" for piece in pieces))

    def close(self) -> None:
        if hasattr(self.held, "close"):
            self.held.close()

    async def aclose(self) -> None:
        if hasattr(self.held, "aclose"):
            await self.held.aclose()

    def _came(self, response: ChatResponse, text: str | None = None) -> Came:
        came = Came(
            text=response.message.content or "" if text is None else text,
            finish=response.additional_kwargs.get("finish_reason"),
            tokens=response.additional_kwargs.get("total_tokens"),
            raw=response,
        )
        try:
            selected = self.held.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        except ToolCallArgumentsError as error:
            came.invalid = [call.arguments for call in error.calls]
        else:
            came.calls = [(call.tool_name, call.tool_kwargs) for call in selected]
            came.ids = [call.tool_id for call in selected]
        return came


def _messages(prompt: str) -> list[ChatMessage]:
    return [ChatMessage(role="user", content=prompt)]


CLIENTS: dict[str, Callable[..., Asker]] = {"core": Core, "langchain": LangChain, "llamaindex": LlamaIndex}


def made(kind: str, url: str, **settings: Any) -> Asker:
    """Make a client that never tries again unless told to."""
    return CLIENTS[kind](url, **{"max_retries": 0, **settings})
