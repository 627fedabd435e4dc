"""What the frameworks cost by themselves: models that only build their chunks, or have them ready, and ask nobody.

The address says how many: `http://x/text/1000/0/0` is 1,000 chunks.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    MessageRole,
    TextBlock,
)
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from tests.bench.langchain_calls import LangChainSubject
from tests.bench.llamaindex_calls import LlamaIndexSubject

__all__ = ["LangChainBuilds", "LangChainReady", "LlamaIndexBuilds"]

WORD = " token"


def _asked(url: str) -> tuple[str, int]:
    kind, count, *_ = url.split("/")[3:]
    return kind, int(count)


def _chunk(kind: str) -> ChatGenerationChunk:
    if kind == "tool":
        call = tool_call_chunk(name=None, args=" word", id=None, index=0)
        return ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))
    if kind == "reasoning":
        return ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs={"reasoning_content": WORD}))
    return ChatGenerationChunk(message=AIMessageChunk(content=WORD))


class _Builds(BaseChatModel):
    """Builds each chunk with the constructors."""

    kind: str
    count: int

    @property
    def _llm_type(self) -> str:
        return "floor"

    def _chunks(self) -> Iterator[ChatGenerationChunk]:
        return (_chunk(self.kind) for _ in range(self.count))

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        yield from self._chunks()

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks():
            yield chunk

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=WORD * self.count))])

    async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
        return self._generate()


class _Ready(_Builds):
    """Has all chunks before it is asked."""

    _made: list[ChatGenerationChunk]

    def model_post_init(self, _: Any, /) -> None:
        self._made = [_chunk(self.kind) for _ in range(self.count)]

    def _chunks(self) -> Iterator[ChatGenerationChunk]:
        return iter(self._made)


class LangChainBuilds(LangChainSubject):
    """A chat model that builds each chunk."""

    def construct(self, url: str) -> BaseChatModel:
        kind, count = _asked(url)
        return _Builds(kind=kind, count=count)

    def stream(self, url: str, _: bool) -> Iterator[Any]:
        return super().stream(url, tools=False)

    async def astream(self, url: str, _: bool) -> AsyncIterator[Any]:
        return await super().astream(url, tools=False)


class LangChainReady(LangChainBuilds):
    """A chat model whose chunks are there already."""

    def construct(self, url: str) -> BaseChatModel:
        kind, count = _asked(url)
        return _Ready(kind=kind, count=count)


class _Responds(CustomLLM):
    """Builds each response with the constructors; its message repeats all that came before."""

    kind: str
    count: int

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, *_: Any, **__: Any) -> CompletionResponse:
        return CompletionResponse(text=WORD * self.count)

    @llm_completion_callback()
    def stream_complete(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    @llm_chat_callback()
    def chat(self, *_: Any, **__: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=WORD * self.count), raw={})

    @llm_chat_callback()
    async def achat(self, *_: Any, **__: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=WORD * self.count), raw={})

    def _responses(self) -> Iterator[ChatResponse]:
        text = ""
        for _ in range(self.count):
            text += WORD
            message = ChatMessage(role=MessageRole.ASSISTANT, blocks=[TextBlock(text=text)])
            yield ChatResponse(message=message, delta=WORD, raw={})

    @llm_chat_callback()
    def stream_chat(self, *_: Any, **__: Any) -> Any:
        return self._responses()

    @llm_chat_callback()
    async def astream_chat(self, *_: Any, **__: Any) -> Any:
        async def responses() -> AsyncIterator[ChatResponse]:
            for response in self._responses():
                yield response

        return responses()


class LlamaIndexBuilds(LlamaIndexSubject):
    """An LLM that builds each response."""

    def construct(self, url: str) -> CustomLLM:
        kind, count = _asked(url)
        return _Responds(kind=kind, count=count)

    def stream(self, url: str, _: bool) -> Iterator[Any]:
        return super().stream(url, tools=False)

    async def astream(self, url: str, _: bool) -> AsyncIterator[Any]:
        return await super().astream(url, tools=False)

    async def acall(self, url: str, times: int) -> Any:
        model = self._model(url)
        return await asyncio.gather(*(model.achat(self._question) for _ in range(times)))
