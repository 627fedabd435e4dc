"""The four ways to request a chat and the four to request a completion, each as one call that returns all responses."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index_vllm import VllmLLM

__all__ = ["CHATS", "COMPLETIONS", "STREAMS", "Chat", "Completion", "user"]

Chat = Callable[..., Awaitable[list[ChatResponse]]]
Completion = Callable[..., Awaitable[list[CompletionResponse]]]


def user(text: str = "Hi") -> list[ChatMessage]:
    return [ChatMessage(text)]


async def chat(llm: VllmLLM, messages: Sequence[ChatMessage], **kwargs: Any) -> list[ChatResponse]:
    return [llm.chat(messages, **kwargs)]


async def achat(llm: VllmLLM, messages: Sequence[ChatMessage], **kwargs: Any) -> list[ChatResponse]:
    return [await llm.achat(messages, **kwargs)]


async def stream_chat(llm: VllmLLM, messages: Sequence[ChatMessage], **kwargs: Any) -> list[ChatResponse]:
    return list(llm.stream_chat(messages, **kwargs))


async def astream_chat(llm: VllmLLM, messages: Sequence[ChatMessage], **kwargs: Any) -> list[ChatResponse]:
    return [chunk async for chunk in await llm.astream_chat(messages, **kwargs)]


async def complete(llm: VllmLLM, prompt: str, **kwargs: Any) -> list[CompletionResponse]:
    return [llm.complete(prompt, **kwargs)]


async def acomplete(llm: VllmLLM, prompt: str, **kwargs: Any) -> list[CompletionResponse]:
    return [await llm.acomplete(prompt, **kwargs)]


async def stream_complete(llm: VllmLLM, prompt: str, **kwargs: Any) -> list[CompletionResponse]:
    return list(llm.stream_complete(prompt, **kwargs))


async def astream_complete(llm: VllmLLM, prompt: str, **kwargs: Any) -> list[CompletionResponse]:
    return [chunk async for chunk in await llm.astream_complete(prompt, **kwargs)]


CHATS: list[Chat] = [chat, achat, stream_chat, astream_chat]
STREAMS: list[Chat] = [stream_chat, astream_chat]
COMPLETIONS: list[Completion] = [complete, acomplete, stream_complete, astream_complete]
