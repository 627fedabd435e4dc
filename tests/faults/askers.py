"""One question to one server, through each of the three clients, whatever they call it.

`made("langchain", url)` has `ask()`, `aask()`, `stream()` and `astream()`, which give text, and the object itself.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage
from llama_index_vllm import VllmLLM
from vllm_connect import AsyncVllmClient, ChatRequest, Delta, TextDelta, VllmClient, VllmConfig

__all__ = ["KINDS", "Asker", "made"]

KINDS = ("core", "langchain", "llamaindex")


class Asker(Protocol):
    """A client; the generators close the connection when they are closed."""

    def ask(self, prompt: str) -> str: ...
    async def aask(self, prompt: str) -> str: ...
    def stream(self, prompt: str) -> Iterator[str]: ...
    def astream(self, prompt: str) -> AsyncIterator[str]: ...
    async def aclose(self) -> None: ...


def joined(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


class Core:
    """`VllmClient` and `AsyncVllmClient`."""

    def __init__(self, url: str, **settings: Any) -> None:
        given = {name: settings.pop(name, None) for name in ("http_client", "async_http_client")}
        self.extra_body = settings.pop("extra_body", None)
        config = VllmConfig(base_url=url, **settings)
        self.client = VllmClient(config, http_client=given["http_client"])
        self.waiting = AsyncVllmClient(config, http_client=given["async_http_client"], calls=self.client.calls)

    def _request(self, prompt: str) -> ChatRequest:
        return ChatRequest(messages=[{"role": "user", "content": prompt}], model="demo", extra_body=self.extra_body)

    def ask(self, prompt: str) -> str:
        return self.client.complete(self._request(prompt)).text

    async def aask(self, prompt: str) -> str:
        return (await self.waiting.complete(self._request(prompt))).text

    def stream(self, prompt: str) -> Iterator[str]:
        return map(joined, self.client.stream(self._request(prompt)))

    async def astream(self, prompt: str) -> AsyncIterator[str]:
        stream = self.waiting.stream(self._request(prompt))
        try:
            async for deltas in stream:
                yield joined(deltas)
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        self.client.close()
        await self.waiting.aclose()


class LangChain:
    """`ChatVllm`."""

    def __init__(self, url: str, **settings: Any) -> None:
        if "async_http_client" in settings:
            settings["http_async_client"] = settings.pop("async_http_client")
        self.chat = ChatVllm(base_url=url, model="demo", **settings)

    def ask(self, prompt: str) -> str:
        return str(self.chat.invoke(prompt).text)

    async def aask(self, prompt: str) -> str:
        return str((await self.chat.ainvoke(prompt)).text)

    def stream(self, prompt: str) -> Iterator[str]:
        for chunk in self.chat.stream(prompt):
            yield str(chunk.text)

    async def astream(self, prompt: str) -> AsyncIterator[str]:
        stream = self.chat.astream(prompt)
        try:
            async for chunk in stream:
                yield str(chunk.text)
        finally:
            await stream.aclose()  # type: ignore[attr-defined] # it is a generator, its type does not tell

    async def aclose(self) -> None:
        await self.chat.aclose()


class LlamaIndex:
    """`VllmLLM`."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.llm = VllmLLM(base_url=url, model="demo", **settings)

    def ask(self, prompt: str) -> str:
        return self.llm.chat([ChatMessage(role="user", content=prompt)]).message.content or ""

    async def aask(self, prompt: str) -> str:
        return (await self.llm.achat([ChatMessage(role="user", content=prompt)])).message.content or ""

    def stream(self, prompt: str) -> Iterator[str]:
        for response in self.llm.stream_chat([ChatMessage(role="user", content=prompt)]):
            yield response.delta or ""

    async def astream(self, prompt: str) -> AsyncIterator[str]:
        stream = await self.llm.astream_chat([ChatMessage(role="user", content=prompt)])
        try:
            async for response in stream:
                yield response.delta or ""
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        await self.llm.aclose()


def made(kind: str, url: str, **settings: Any) -> Asker:
    """Make a client that never tries again unless told to."""
    settings = {"max_retries": 0, **settings}
    if kind == "core":
        return Core(url, **settings)
    return LangChain(url, **settings) if kind == "langchain" else LlamaIndex(url, **settings)
