"""A vLLM server as an LLM of LlamaIndex.

    llm = VllmLLM(base_url="http://localhost:8000", model="demo", temperature=0)
    llm.chat([ChatMessage("Hi")]).message.content

Blocking and asynchronous methods, whole answers and streams share everything but the `await`: `_call` builds the
request, a client of `vllm_connect` gives deltas, and `answer` shows them as LlamaIndex's responses. The model is built
up in three steps, a file each: its settings, its server, and here its answers.
"""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
)
from typing_extensions import override
from vllm_connect import ChatRequest

from llama_index_vllm.answer import Answer, Terms, to_completion_response
from llama_index_vllm.clients import Pair
from llama_index_vllm.events import chat_events, completion_events
from llama_index_vllm.served import ServedModel

__all__ = ["VllmLLM"]


class VllmLLM(ServedModel):
    """An LLM on a vLLM server, with tools, reasoning, structured prediction, streams and true async.

    Every field of `RequestFields` and `VllmConfig` is an argument. A call's arguments go before the model's, the model's
    before the server's defaults; nothing is sent that nobody set, and None in a call takes the model's value away.

        llm = VllmLLM(base_url="http://localhost:8000", model="demo", temperature=0, max_tokens=200)
        print(llm.complete("Hi", seed=1))

    The context window in `metadata` is asked of the server when it is first read. In a running event loop it is not
    waited for: the reader gets 3,900 tokens, LlamaIndex's own default, and the next asynchronous call asks first.
    `await llm.aserver_info()` or `context_window=…` has it right from the start.

    Raises:
        ConfigurationError: An argument is unknown or wrong; the message has the name that was probably meant.
    """

    @classmethod
    @override
    def class_name(cls) -> str:
        """Name the class for serialisation and tracing."""
        return "VllmLLM"

    # Answers

    @chat_events
    @override
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation.

        Args:
            messages: The conversation.
            kwargs: Any field of `RequestFields`, and `tools`, `tool_choice`; they go before the model's own.

        Returns:
            The answer: blocks of thinking, text and tool calls; `additional_kwargs` with token counts and
            `finish_reason`; `raw` as the server would spell it.

        Raises:
            ConfigurationError: An argument is unknown or wrong.
            VllmError: Anything else; see `vllm_connect.errors`.
        """
        return self._chat(messages, kwargs)

    @chat_events
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation; see `chat`."""
        return await self._achat(messages, kwargs)

    @chat_events
    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a conversation as a stream; see `chat`.

        Returns:
            A generator of chunks. `message` repeats all that came before, `delta` is the new text, and
            `additional_kwargs["thinking_delta"]` the new reasoning. Closing it makes the server stop.
        """
        return self._stream(*self._call(messages, kwargs, stream=True))

    @chat_events
    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Answer a conversation as a stream; see `stream_chat`."""
        return self._astream(*self._call(messages, kwargs, stream=True))

    @completion_events
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt, as the user's message of a conversation.

        Args:
            prompt: The prompt.
            formatted: `completion_to_prompt` has been applied already.
            kwargs: As for `chat`.
        """
        return to_completion_response(self._chat(self._prompted(prompt, formatted), kwargs))

    @completion_events
    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt; see `complete`."""
        return to_completion_response(await self._achat(self._prompted(prompt, formatted), kwargs))

    @completion_events
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Answer a prompt as a stream; see `complete`."""
        return self._stream_completion(*self._call(self._prompted(prompt, formatted), kwargs, stream=True))

    @completion_events
    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Answer a prompt as a stream; see `complete`."""
        return self._astream_completion(*self._call(self._prompted(prompt, formatted), kwargs, stream=True))

    def _chat(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        pair, request, terms = self._call(messages, kwargs)
        return terms.whole(pair.blocking.complete_choices(request))

    async def _achat(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        pair, request, terms = self._call(messages, kwargs)
        await self._find_window(pair)
        return terms.whole(await pair.asynchronous.complete_choices(request))

    def _stream(self, pair: Pair, request: ChatRequest, terms: Terms) -> Generator[ChatResponse, None, None]:
        answer = Answer(terms)
        with closing(pair.blocking.stream(request)) as stream:
            for deltas in stream:
                if (chunk := answer.take(deltas)) is not None:
                    yield chunk

    async def _astream(self, pair: Pair, request: ChatRequest, terms: Terms) -> AsyncGenerator[ChatResponse, None]:
        await self._find_window(pair)
        answer = Answer(terms)
        async with aclosing(pair.asynchronous.stream(request)) as stream:
            async for deltas in stream:
                if (chunk := answer.take(deltas)) is not None:
                    yield chunk

    def _stream_completion(self, *call: Any) -> Generator[CompletionResponse, None, None]:
        with closing(self._stream(*call)) as chunks:
            for chunk in chunks:
                yield to_completion_response(chunk)

    async def _astream_completion(self, *call: Any) -> AsyncGenerator[CompletionResponse, None]:
        async with aclosing(self._astream(*call)) as chunks:
            async for chunk in chunks:
                yield to_completion_response(chunk)
