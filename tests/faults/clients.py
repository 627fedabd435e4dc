"""The clients that a fault is tried on, each in four ways: sync or async, streamed or whole.

`CLIENTS["langchain"](url, settings, fields).ask("async", "stream")` gives what came, in words that all clients share.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index_vllm import ToolCallArgumentsError, VllmLLM
from vllm_connect import AsyncVllmClient, ChatRequest, Completion, Delta, VllmClient, VllmConfig, fold

from tests.faults.fault import CANARY

__all__ = ["CLIENTS", "PROMPT", "TOOLS", "WAYS", "Came"]

PROMPT = "prompt-canary-51c2"
"""What is asked; it must show in no error."""

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
        },
    },
    {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
]

WAYS = [(loop, mode) for loop in ("sync", "async") for mode in ("unary", "stream")]


@dataclass
class Came:
    """What a client gave.

    Attributes:
        text: The answer's text.
        calls: Calls that the client would let run.
        invalid: How many it says must not be run.
        error: What it raised.
        partial: The text that the error keeps.
    """

    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    invalid: int = 0
    error: BaseException | None = None
    partial: str | None = None


def caught(error: Exception) -> Came:
    partial: Completion | None = getattr(error, "partial", None)
    return Came(error=error, partial=None if partial is None else partial.text)


async def adrain(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


@contextmanager
def closed(model: Any) -> Iterator[None]:
    """Close a model's connections afterwards, where it can."""
    try:
        yield
    finally:
        if hasattr(model, "close"):
            model.close()


@asynccontextmanager
async def aclosed(model: Any) -> AsyncIterator[None]:
    """Close a model's connections of this loop afterwards, where it can."""
    try:
        yield
    finally:
        if hasattr(model, "aclose"):
            await model.aclose()


class Core:
    """`VllmClient` and `AsyncVllmClient`."""

    def __init__(self, url: str, settings: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        self._config = VllmConfig(base_url=url, **settings)
        self._request = ChatRequest(messages=[{"role": "user", "content": PROMPT}], model="demo", tools=TOOLS, **fields)

    def ask(self, loop: str, mode: str) -> Came:
        try:
            answer = self._blocking(mode) if loop == "sync" else asyncio.run(self._waiting(mode))
        except Exception as error:  # noqa: BLE001 - whatever comes is judged
            return caught(error)
        return Came(answer.text, [(c.name, c.parsed()) for c in answer.tool_calls], len(answer.invalid_tool_calls))

    def _blocking(self, mode: str) -> Completion:
        with VllmClient(self._config) as client:
            if mode == "unary":
                return client.complete(self._request)
            deltas: list[Delta] = [delta for several in client.stream(self._request) for delta in several]
            return fold(deltas, tools=TOOLS)

    async def _waiting(self, mode: str) -> Completion:
        async with AsyncVllmClient(self._config) as client:
            if mode == "unary":
                return await client.complete(self._request)
            deltas: list[Delta] = [delta async for several in client.stream(self._request) for delta in several]
            return fold(deltas, tools=TOOLS)


class LangChain:
    """A LangChain chat model."""

    model: Any = ChatVllm

    def __init__(self, url: str, settings: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        self._made = self.made(url, settings)
        self._chat = self._made.bind_tools(TOOLS, **fields)

    def made(self, url: str, settings: Mapping[str, Any]) -> Any:
        """Make the model."""
        return self.model(base_url=url, model="demo", **settings)

    def ask(self, loop: str, mode: str) -> Came:
        try:
            message = self._blocking(mode) if loop == "sync" else asyncio.run(self._waiting(mode))
        except Exception as error:  # noqa: BLE001 - whatever comes is judged
            return caught(error)
        calls = [(call["name"], call["args"]) for call in message.tool_calls]
        return Came(message.text, calls, len(message.invalid_tool_calls))

    def _blocking(self, mode: str) -> AIMessage:
        with closed(self._made):
            return self._summed(list(self._chat.stream(PROMPT))) if mode == "stream" else self._chat.invoke(PROMPT)

    async def _waiting(self, mode: str) -> AIMessage:
        async with aclosed(self._made):
            if mode == "stream":
                return self._summed(await adrain(self._chat.astream(PROMPT)))
            message: AIMessage = await self._chat.ainvoke(PROMPT)
            return message

    @staticmethod
    def _summed(chunks: list[AIMessageChunk]) -> AIMessage:
        total = chunks[0]
        for chunk in chunks[1:]:
            total = total + chunk
        return total


class LlamaIndex:
    """A LlamaIndex model."""

    model: Any = VllmLLM

    def __init__(self, url: str, settings: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        self._llm = self.made(url, settings)
        self._fields = dict(fields)

    def made(self, url: str, settings: Mapping[str, Any]) -> Any:
        """Make the model."""
        return self.model(base_url=url, model="demo", **settings)

    def ask(self, loop: str, mode: str) -> Came:
        messages = [ChatMessage(role="user", content=PROMPT)]
        try:
            response = self._blocking(messages, mode) if loop == "sync" else asyncio.run(self._waiting(messages, mode))
            selected = self._llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        except ToolCallArgumentsError as error:
            return Came(invalid=len(error.calls))
        except Exception as error:  # noqa: BLE001 - whatever comes is judged
            return caught(error)
        return Came(response.message.content or "", [(call.tool_name, call.tool_kwargs) for call in selected])

    def _blocking(self, messages: list[ChatMessage], mode: str) -> ChatResponse:
        with closed(self._llm):
            if mode == "unary":
                return self._llm.chat(messages, tools=TOOLS, **self._fields)  # type: ignore[no-any-return] # a response
            return list(self._llm.stream_chat(messages, tools=TOOLS, **self._fields))[-1]  # type: ignore[no-any-return] # a response

    async def _waiting(self, messages: list[ChatMessage], mode: str) -> ChatResponse:
        async with aclosed(self._llm):
            if mode == "unary":
                return await self._llm.achat(messages, tools=TOOLS, **self._fields)  # type: ignore[no-any-return] # a response
            return (await adrain(await self._llm.astream_chat(messages, tools=TOOLS, **self._fields)))[-1]  # type: ignore[no-any-return] # a response


def ours(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of our clients: no retries and the canary for a key, unless a fault says otherwise."""
    return {"api_key": CANARY, "max_retries": 0, "retry_delay": 0.01, **settings}


CLIENTS: dict[str, Callable[..., Any]] = {
    "core": lambda url, settings, fields: Core(url, ours(settings), fields),
    "langchain": lambda url, settings, fields: LangChain(url, ours(settings), fields),
    "llamaindex": lambda url, settings, fields: LlamaIndex(url, ours(settings), fields),
}
