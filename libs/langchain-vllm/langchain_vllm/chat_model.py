"""`ChatVllm`: LangChain's chat model for a vLLM server.

A call is messages in, a `ChatRequest` out, deltas back, chunks or a message to the caller; this file only connects
the parts. Synchronous and asynchronous methods share all but the `await`. The model is built up in four steps, a file
each: its settings, its server, what is bound to it, and here its answers.
Source: BaseChatModel (langchain_core/language_models/chat_models.py, 1.6 to 1.7).
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from typing_extensions import override
from vllm_connect import Completion

from langchain_vllm.binding import BindingModel
from langchain_vllm.chunks import Chunks
from langchain_vllm.construct import chat_generation, chat_result
from langchain_vllm.errors import model_errors
from langchain_vllm.events import Events
from langchain_vllm.messages import from_completion
from langchain_vllm.signatures import signed

if TYPE_CHECKING:
    from langchain_protocol.protocol import MessagesData

__all__ = ["ChatVllm"]


class ChatVllm(BindingModel):
    """LangChain chat model for a vLLM server.

    Setup:
        ```bash
        pip install langchain-vllm
        vllm serve Qwen/Qwen3-8B
        ```
        Nothing is required. `VLLM_BASE_URL`, `VLLM_MODEL`, `VLLM_API_KEY`, `VLLM_TIMEOUT`, `VLLM_MAX_RETRIES` and
        `VLLM_TEMPERATURE` are read where the argument is not given; `OPENAI_API_KEY` never is.

    Arguments:
        Every setting of `vllm_connect.VllmConfig` (where the server is and how to talk to it), every field of
        `vllm_connect.RequestFields` (how an answer is generated), and those of `BaseChatModel`. What nobody sets is
        not sent, so that the defaults of the served model hold. An unknown argument is refused.

    Invoke:
        ```python
        from langchain_vllm import ChatVllm

        model = ChatVllm(base_url="http://localhost:8000", temperature=0)
        model.invoke("Hello").text
        ```
        Every field can be given for one call, `model.invoke("Hello", top_k=5)`; None takes a default away, and
        `extra_body` and `chat_template_kwargs` are merged deeply into the model's.

    Stream:
        ```python
        for chunk in model.stream("Hello"):
            print(chunk.text, end="", flush=True)
        ```
        Leaving the loop closes the connection, and the server stops. The last chunk has usage and finish reason.

    Async:
        `ainvoke`, `astream`, `abatch` and `astream_events` are native; one object serves any number of event loops.

    Reasoning:
        ```python
        answer = model.invoke("What is 17 * 23?", reasoning=True)
        answer.additional_kwargs["reasoning_content"]
        [block for block in answer.content_blocks if block["type"] == "reasoning"]
        ```
        In a tool loop it is sent back; see `reasoning_replay`.

    Tools:
        ```python
        def add(a: int, b: int) -> int:
            "Add two numbers."
            return a + b


        model.bind_tools([add]).invoke("What is 1 + 2?").tool_calls
        ```
        Calls that are malformed, or that the end of the answer cut, are in `invalid_tool_calls`, streamed or not.

    Structured output:
        ```python
        from pydantic import BaseModel


        class Joke(BaseModel):
            setup: str
            punchline: str


        model.with_structured_output(Joke).invoke("Tell me a joke about cats.")
        ```

    Token usage:
        ```python
        model.invoke("Hello").usage_metadata  # in streams too
        model.get_num_tokens_from_messages(messages, tools=[add])  # counted by the server
        ```

    Context window:
        ```python
        model.refresh_profile()["max_input_tokens"]  # or ChatVllm(context_window=32768)
        ```

    Serialisation:
        `load(dumpd(model), valid_namespaces=["langchain_vllm"], allowed_objects=[ChatVllm])` makes the model again.
        No serialised form, pickle or `repr` holds a key.

    Raises:
        langchain_vllm.errors.VllmError: Anything that goes wrong; each class is also one of langchain-core's
            `ModelError` family. `ConfigurationError` comes before anything is sent.
    """

    @signed
    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors:
            request = self._request(messages, stop, kwargs, stream=False)
            with self._client_for(kwargs) as client:
                return _result(client.complete_choices(request))

    @signed
    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors:
            request = self._request(messages, stop, kwargs, stream=False)
            async with self._async_client_for(kwargs) as client:
                return _result(await client.complete_choices(request))

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with model_errors:
            request = self._request(messages, stop, kwargs, stream=True)
            chunks = Chunks(request.tools)
            with self._client_for(kwargs) as client, closing(client.stream(request)) as stream:
                for deltas in stream:
                    if chunk := chunks.feed(deltas):
                        if run_manager:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield chunks.end()

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with model_errors:
            request = self._request(messages, stop, kwargs, stream=True)
            chunks = Chunks(request.tools)
            async with self._async_client_for(kwargs) as client, aclosing(client.stream(request)) as stream:
                async for deltas in stream:
                    if chunk := chunks.feed(deltas):
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield chunks.end()

    def _stream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> "Iterator[MessagesData]":
        """Stream events; LangChain calls this for `version="v3"`."""
        with model_errors:
            request = self._request(messages, stop, kwargs, stream=True)
            events = Events(request.tools, run_manager.run_id if run_manager else None)
            with self._client_for(kwargs) as client, closing(client.stream(request)) as stream:
                for deltas in stream:
                    yield from events.feed(deltas)
            yield from events.end()

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> "AsyncIterator[MessagesData]":
        """Stream events; the asynchronous form of `_stream_chat_model_events`."""
        with model_errors:
            request = self._request(messages, stop, kwargs, stream=True)
            events = Events(request.tools, run_manager.run_id if run_manager else None)
            async with self._async_client_for(kwargs) as client, aclosing(client.stream(request)) as stream:
                async for deltas in stream:
                    for event in events.feed(deltas):
                        yield event
            for event in events.end():
                yield event

    @override
    def _should_stream(self, *, async_api: bool, run_manager: Any = None, **kwargs: Any) -> bool:
        can = self.streaming_allowed and (kwargs.get("n", self.n) or 1) == 1
        return (can or bool(kwargs.get("stream"))) and super()._should_stream(
            async_api=async_api, run_manager=run_manager, **kwargs
        )

    @override
    def _should_use_protocol_streaming(self, *, async_api: bool, run_manager: Any = None, **kwargs: Any) -> bool:
        return self.streaming_allowed and super()._should_use_protocol_streaming(
            async_api=async_api, run_manager=run_manager, **kwargs
        )


def _result(completions: Sequence[Completion]) -> ChatResult:
    """Make the result of a call; the counts, which are those of the whole call, stand on its first answer."""
    generations: list[ChatGeneration] = []
    output: dict[str, Any] = {}
    for completion in completions:
        message = from_completion(completion)
        said = message.response_metadata
        if generations:
            message.usage_metadata = None
            said.pop("token_usage", None)
        else:
            output = {name: said[name] for name in ("token_usage", "model_name") if name in said}
        info = {name: said[name] for name in ("finish_reason", "stop_reason", "logprobs") if name in said}
        generations.append(chat_generation(message, info))
    return chat_result(generations, output)
