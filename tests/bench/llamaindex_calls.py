"""How any LLM of LlamaIndex is measured: through its public methods."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from tests.bench import llamaindex_histories

__all__ = ["LlamaIndexSubject"]

TOOL = {"name": "look_up", "description": "Look it up.", "parameters": {"type": "object", "properties": {}}}


class LlamaIndexSubject:
    """Measures an LLM, of which there is one for each address."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}
        self._held: Any = None
        self._question = [ChatMessage("Say something.")]

    def construct(self, url: str) -> LLM:
        """Make an LLM."""
        raise NotImplementedError

    def _model(self, url: str) -> Any:
        if url not in self._models:
            self._models[url] = self.construct(url)
        return self._models[url]

    @staticmethod
    def _given(tools: bool) -> dict[str, Any]:
        return {"tools": [{"type": "function", "function": TOOL}]} if tools else {}

    def stream(self, url: str, tools: bool) -> Iterator[Any]:
        return self._model(url).stream_chat(self._question, **self._given(tools))  # type: ignore[no-any-return]  # any LLM

    async def astream(self, url: str, tools: bool) -> AsyncIterator[Any]:
        return await self._model(url).astream_chat(self._question, **self._given(tools))  # type: ignore[no-any-return]  # any LLM

    def text(self, chunk: Any) -> str:
        return chunk.delta or ""

    def call(self, url: str) -> Any:
        return self._model(url).chat(self._question)

    async def acall(self, url: str, times: int) -> Any:
        model = self._model(url)
        return await asyncio.gather(*(model.achat(self._question) for _ in range(times)))

    def history(self, new: bool) -> Any:
        if new or self._held is None:
            self._held = (llamaindex_histories.messages(), llamaindex_histories.tools())
        return self._held

    def call_history(self, url: str, history: Any) -> Any:
        messages, tools = history
        return self._model(url).chat_with_tools(tools, chat_history=messages)
