"""The eight ways to ask: two frameworks, whole and streamed, blocking and not, each as one call."""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, BaseMessageChunk
from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ThinkingBlock, ToolCallBlock
from llama_index.core.prompts import PromptTemplate
from llama_index_vllm import VllmLLM

from tests.matrix.features import Feature, Person, Seen

__all__ = ["WAYS", "Way"]

Way = Callable[[str, Feature], Awaitable[Seen]]
SETTINGS: dict[str, Any] = {"model": "demo", "temperature": 0, "max_tokens": 300}


def _message(message: BaseMessage | BaseMessageChunk) -> Seen:
    assert isinstance(message, AIMessage)
    calls = tuple((call["name"], call["args"]) for call in message.tool_calls)
    return Seen(message.text, message.additional_kwargs.get("reasoning_content", ""), calls)


def _chat_vllm(url: str, feature: Feature) -> ChatVllm:
    return ChatVllm(base_url=url, **SETTINGS, **({"reasoning": False} if feature.objects else {}))


async def langchain(url: str, feature: Feature) -> Seen:
    with _chat_vllm(url, feature) as model:
        if feature.objects:
            return Seen(value=model.with_structured_output(Person).invoke(feature.question))
        return _message(model.invoke(feature.question, **feature.fields))


async def langchain_async(url: str, feature: Feature) -> Seen:
    async with _chat_vllm(url, feature) as model:
        if feature.objects:
            return Seen(value=await model.with_structured_output(Person).ainvoke(feature.question))
        return _message(await model.ainvoke(feature.question, **feature.fields))


async def langchain_stream(url: str, feature: Feature) -> Seen:
    with _chat_vllm(url, feature) as model:
        if feature.objects:
            return Seen(value=list(model.with_structured_output(Person).stream(feature.question))[-1])
        first, *rest = model.stream(feature.question, **feature.fields)
        return _message(sum(rest, first))


async def langchain_stream_async(url: str, feature: Feature) -> Seen:
    async with _chat_vllm(url, feature) as model:
        if feature.objects:
            streamed = [part async for part in model.with_structured_output(Person).astream(feature.question)]
            return Seen(value=streamed[-1])
        first, *rest = [chunk async for chunk in model.astream(feature.question, **feature.fields)]
        return _message(sum(rest, first))


def _response(response: ChatResponse) -> Seen:
    blocks = response.message.blocks
    calls = tuple(
        (block.tool_name, block.tool_kwargs)
        for block in blocks
        if isinstance(block, ToolCallBlock) and isinstance(block.tool_kwargs, dict)
    )
    reasoning = "".join(block.content or "" for block in blocks if isinstance(block, ThinkingBlock))
    return Seen(response.message.content or "", reasoning, calls)


def _vllm_llm(url: str, feature: Feature) -> VllmLLM:
    return VllmLLM(base_url=url, **SETTINGS, **({"reasoning": False} if feature.objects else {}))


def _asked(feature: Feature) -> list[ChatMessage]:
    return [ChatMessage(feature.question)]


async def llamaindex(url: str, feature: Feature) -> Seen:
    with _vllm_llm(url, feature) as llm:
        if feature.objects:
            return Seen(value=llm.structured_predict(Person, PromptTemplate(feature.question)))
        return _response(llm.chat(_asked(feature), **feature.fields))


async def llamaindex_async(url: str, feature: Feature) -> Seen:
    async with _vllm_llm(url, feature) as llm:
        if feature.objects:
            return Seen(value=await llm.astructured_predict(Person, PromptTemplate(feature.question)))
        return _response(await llm.achat(_asked(feature), **feature.fields))


async def llamaindex_stream(url: str, feature: Feature) -> Seen:
    with _vllm_llm(url, feature) as llm:
        if feature.objects:
            return Seen(value=list(llm.stream_structured_predict(Person, PromptTemplate(feature.question)))[-1])
        return _response(list(llm.stream_chat(_asked(feature), **feature.fields))[-1])


async def llamaindex_stream_async(url: str, feature: Feature) -> Seen:
    async with _vllm_llm(url, feature) as llm:
        if feature.objects:
            prompt = PromptTemplate(feature.question)
            streamed = [part async for part in await llm.astream_structured_predict(Person, prompt)]
            return Seen(value=streamed[-1])
        chunks = [chunk async for chunk in await llm.astream_chat(_asked(feature), **feature.fields)]
        return _response(chunks[-1])


WAYS: dict[str, Way] = {
    "LangChain invoke": langchain,
    "LangChain ainvoke": langchain_async,
    "LangChain stream": langchain_stream,
    "LangChain astream": langchain_stream_async,
    "LlamaIndex chat": llamaindex,
    "LlamaIndex achat": llamaindex_async,
    "LlamaIndex stream_chat": llamaindex_stream,
    "LlamaIndex astream_chat": llamaindex_stream_async,
}
