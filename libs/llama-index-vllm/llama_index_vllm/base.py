"""A vLLM server as an LLM of LlamaIndex.

    llm = VllmLLM(base_url="http://localhost:8000", model="demo", temperature=0)
    llm.chat([ChatMessage("Hi")]).message.content

Blocking and asynchronous methods, complete answers and streams share everything but the `await`: `_prepare` builds the
request, a client of `vllm_connect` returns completions or yields deltas, and `responses` converts them.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from copy import deepcopy
from typing import Any, NamedTuple

import vllm_connect  # its clients are loaded when one is created
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # all import it from here
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools.types import BaseTool
from llama_index.core.types import Model
from pydantic import field_validator
from typing_extensions import override
from vllm_connect import ChatRequest
from vllm_connect.adapters import AdapterModel, call_settings, hiding, response_format

from llama_index_vllm.callbacks import chat_events, completion_events
from llama_index_vllm.messages import to_wire
from llama_index_vllm.metadata import ServedMetadata
from llama_index_vllm.responses import ResponseChunks, ResponseConverter, to_completion_response
from llama_index_vllm.structured import OutputStream, read_output, structured_arguments
from llama_index_vllm.tools import chat_arguments, keep_first_call, to_wire_tool, tool_selections

__all__ = ["VllmLLM"]

dispatcher = get_dispatcher(__name__)


class _Call(NamedTuple):
    """A prepared call: what is sent, the settings that it alone has, and the converter of its answer."""

    request: ChatRequest
    connection: dict[str, Any]
    converter: ResponseConverter


class VllmLLM(AdapterModel, FunctionCallingLLM):
    """An LLM on a vLLM server, with tools, reasoning, structured prediction, streams and native async.

    Every field of `RequestFields` and `VllmConfig` is an argument, of the model and of a single call. A call's arguments
    override the model's, the model's override the server's defaults. A field that is not set is not sent; None in a call
    removes the model's value. `client` and `async_client` are clients to use in place of new ones.

        llm = VllmLLM(base_url="http://localhost:8000", model="demo", temperature=0, max_tokens=200)
        print(llm.complete("Hi", seed=1, timeout=10))

    The context window in `metadata` is asked of the server when it is first read. In a running event loop, reading it
    does not block: it is 3,900 tokens, LlamaIndex's own default, and the next asynchronous call asks the server first.
    `await llm.aserver_info()` or `context_window=…` set it from the start.

    Raises:
        ConfigurationError: An argument is unknown or wrong; the message has the name that was probably meant.
    """

    is_chat_model: bool = True
    """The value in `metadata`; the chat endpoint is used in any case."""
    is_function_calling_model: bool = True
    """The value in `metadata`: False keeps agents and programs from passing tools to the model."""
    strict: bool = False
    """Request tool arguments that match their schema; not every server supports it."""

    @field_validator("tool_parser")
    @classmethod
    def _name_of_format(cls, tool_parser: Any) -> Any:
        """Replace a format that has a name by its name, which every copy and every dump can contain."""
        named = (
            isinstance(tool_parser, vllm_connect.Format)
            and vllm_connect.find_format(tool_parser.names[0]) is tool_parser
        )
        return tool_parser.names[0] if named else tool_parser

    @classmethod
    @override
    def class_name(cls) -> str:
        """Return the name of the class for serialisation and tracing."""
        return "VllmLLM"

    # Answers

    @chat_events
    @override
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Send a conversation, and return the answer.

        Args:
            messages: The conversation.
            kwargs: Any field of `RequestFields` and of `VllmConfig`, `tools` and `tool_choice`; they override the model's.

        Returns:
            The answer: blocks of thinking, text and tool calls; `additional_kwargs` with token counts and
            `finish_reason`; `raw` in OpenAI's format.

        Raises:
            ConfigurationError: An argument is unknown or wrong.
            VllmError: Any other failure; see `vllm_connect.errors`.
        """
        return self._chat(messages, kwargs)

    @chat_events
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Send a conversation, and return the answer; see `chat`."""
        return await self._achat(messages, kwargs)

    @chat_events
    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Send a conversation, and return the answer as a stream; see `chat`.

        Returns:
            A generator of chunks. `message` repeats all that came before, `delta` is the new text, and
            `additional_kwargs["thinking_delta"]` the new reasoning. Closing it stops the server.
        """
        return self._stream(self._prepare(messages, kwargs, stream=True))

    @chat_events
    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Send a conversation, and return the answer as a stream; see `stream_chat`."""
        return self._astream(self._prepare(messages, kwargs, stream=True))

    @completion_events
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Send a prompt as the user message of a conversation, and return the answer.

        Args:
            prompt: The prompt.
            formatted: `completion_to_prompt` has been applied already.
            kwargs: As for `chat`.
        """
        return to_completion_response(self._chat(self._prompt_messages(prompt, formatted), kwargs))

    @completion_events
    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Send a prompt, and return the answer; see `complete`."""
        return to_completion_response(await self._achat(self._prompt_messages(prompt, formatted), kwargs))

    @completion_events
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Send a prompt, and return the answer as a stream; see `complete`."""
        return self._stream_completion(self._prepare(self._prompt_messages(prompt, formatted), kwargs, stream=True))

    @completion_events
    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Send a prompt, and return the answer as a stream; see `complete`."""
        return self._astream_completion(self._prepare(self._prompt_messages(prompt, formatted), kwargs, stream=True))

    def _chat(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        call = self._prepare(messages, kwargs)
        with self._cache.blocking(self, call.connection) as client:
            return call.converter.response(client.complete_choices(call.request))

    async def _achat(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> ChatResponse:
        call = self._prepare(messages, kwargs)
        await self._find_window()
        async with self._cache.asynchronous(self, call.connection) as client:
            return call.converter.response(await client.complete_choices(call.request))

    def _stream(self, call: _Call) -> Generator[ChatResponse, None, None]:
        chunks = ResponseChunks(call.converter)
        with self._cache.blocking(self, call.connection) as client, closing(client.stream(call.request)) as stream:
            for deltas in stream:
                if (chunk := chunks.push(deltas)) is not None:
                    yield chunk

    async def _astream(self, call: _Call) -> AsyncGenerator[ChatResponse, None]:
        await self._find_window()
        chunks = ResponseChunks(call.converter)
        async with (
            self._cache.asynchronous(self, call.connection) as client,
            aclosing(client.stream(call.request)) as stream,
        ):
            async for deltas in stream:
                if (chunk := chunks.push(deltas)) is not None:
                    yield chunk

    def _stream_completion(self, call: _Call) -> Generator[CompletionResponse, None, None]:
        with closing(self._stream(call)) as chunks:
            for chunk in chunks:
                yield to_completion_response(chunk)

    async def _astream_completion(self, call: _Call) -> AsyncGenerator[CompletionResponse, None]:
        async with aclosing(self._astream(call)) as chunks:
            async for chunk in chunks:
                yield to_completion_response(chunk)

    def _prepare(self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], *, stream: bool = False) -> _Call:
        given = dict(kwargs)
        wire_names = given.pop("wire_names", None) or {}
        settings = call_settings(self, given)
        fields = settings.fields
        if fields.get("response_format") is not None:
            fields["response_format"] = response_format(fields["response_format"])
        tools = [to_wire_tool(tool) for tool in fields.pop("tools", None) or ()] or None
        wire_messages = to_wire(messages, replay=settings.reasoning_replay, wire_names=wire_names)
        request = self._build_request(fields, wire_messages, tools, stream=stream)
        tool_names = {wire: name for name, wire in wire_names.items()}
        return _Call(request, settings.connection, ResponseConverter(tools, tool_names))

    def _prompt_messages(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]

    # Tools

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Build the arguments of `chat`.

        Args:
            tools: The tools; without tools, nothing about tools is sent.
            user_msg: A message to append to the history.
            chat_history: The conversation; it is not changed.
            verbose: Not used.
            allow_parallel_tool_calls: Allow several calls in one answer.
            tool_required: Require a call.
            tool_choice: `auto`, `none`, `required`, `any`, a tool's name or a dict; overrides `tool_required`.
            strict: Request arguments that match their schema; None is the model's own setting.
            kwargs: Further arguments of `chat`.
        """
        if tool_choice is None:
            tool_choice = "required" if tool_required else "auto"
        return chat_arguments(
            tools,
            user_msg,
            chat_history,
            tool_choice=tool_choice,
            strict=self.strict if strict is None else strict,
            **{"parallel_tool_calls": allow_parallel_tool_calls, **kwargs},
        )

    @override
    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,
    ) -> ChatResponse:
        """Remove all calls but the first if parallel calls are not allowed; streams are handled in the same way."""
        if not kwargs.get("parallel_tool_calls", allow_parallel_tool_calls):
            keep_first_call(response.message)
        return response

    @override
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Return the calls that may be run.

        Args:
            response: A complete answer, or a chunk of a stream. In a chunk before the last, arguments are what has been
                written of them, to be shown.
            error_on_no_tool_call: Raise if there is no call.
            kwargs: Not used.

        Returns:
            The calls in order, arguments as a dict.

        Raises:
            ToolCallArgumentsError: The answer is complete and a call must not be run.
            ValueError: There is no call.
        """
        return tool_selections(response, error_on_no_tool_call=error_on_no_tool_call)

    # Structured prediction

    @override
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Predict an object.

        Args:
            output_cls: Its class.
            prompt: The prompt.
            llm_kwargs: Arguments of `chat`; they are not changed.
            prompt_args: Values for the prompt's variables.

        Returns:
            The object, validated.

        Raises:
            StructuredOutputError: The answer does not match the class; `code` is `truncated`, `empty` or `schema`.
        """
        call = structured_arguments(self, output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            predicted: Model = super().structured_predict(
                output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args
            )
            return predicted
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        output = read_output(output_cls, self.chat(**call))
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    @override
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Predict an object; see `structured_predict`."""
        call = structured_arguments(self, output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            predicted: Model = await super().astructured_predict(
                output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args
            )
            return predicted
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        output = read_output(output_cls, await self.achat(**call))
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    @override
    def _structured_stream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Model | list[Model] | FlexibleModel | list[FlexibleModel], None, None]:
        call = structured_arguments(self, output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            return super()._structured_stream_call(output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args)
        return self._stream_output(output_cls, call)

    @override
    async def _structured_astream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Model | list[Model] | FlexibleModel | list[FlexibleModel], None]:
        call = structured_arguments(self, output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            return await super()._structured_astream_call(
                output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args
            )
        return self._astream_output(output_cls, call)

    def _stream_output(
        self, output_cls: type[Model], call: dict[str, Any]
    ) -> Generator[Model | FlexibleModel, None, None]:
        output = OutputStream(output_cls)
        with closing(self.stream_chat(**call)) as responses:
            for response in responses:
                if (partial := output.push(response)) is not None:
                    yield partial
        yield output.finish()

    async def _astream_output(
        self, output_cls: type[Model], call: dict[str, Any]
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        output = OutputStream(output_cls)
        async with aclosing(await self.astream_chat(**call)) as responses:
            async for response in responses:
                if (partial := output.push(response)) is not None:
                    yield partial
        yield output.finish()

    # The server

    @property
    @override
    def metadata(self) -> LLMMetadata:
        """The model's metadata; see the class about `context_window`."""
        if self.context_window is not None:
            return LLMMetadata(context_window=self.context_window, **self._known_metadata())
        return ServedMetadata(self._discover_window, **self._known_metadata())

    @override
    def to_payload(self) -> dict[str, Any]:
        """Return a description for callbacks and tracers, without a request and without a secret."""
        info = self._known_info()
        window = self.context_window or (info.context_window(self.model) if info else None)
        return {
            "class_name": self.class_name(),
            **self._known_metadata(),
            "model": self._model_name(),
            **({} if window is None else {"context_window": window}),
            **({} if self.temperature is None else {"temperature": self.temperature}),
        }

    def server_info(self, *, refresh: bool = False) -> "vllm_connect.ServerInfo":
        """Return what the server reports: its version, its models, their context windows.

        Args:
            refresh: Ask again.
        """
        pair = self._cache.pair(self)
        if pair.info is None or refresh:
            pair.info = pair.blocking.server_info(refresh=refresh)
        return pair.info

    async def aserver_info(self, *, refresh: bool = False) -> "vllm_connect.ServerInfo":
        """Return what the server reports; see `server_info`."""
        pair = self._cache.pair(self)
        if pair.info is None or refresh:
            pair.info = await pair.asynchronous.server_info(refresh=refresh)
        return pair.info

    def is_healthy(self) -> bool:
        """Check whether the server answers within ten seconds and its engine works."""
        return self.client.is_healthy()

    async def ais_healthy(self) -> bool:
        """Check whether the server answers within ten seconds and its engine works."""
        return await self.async_client.is_healthy()

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of a text, by the server's tokenizer.

        `Settings.tokenizer = llm.tokenize` makes LlamaIndex count and split in this model's tokens. Each text is one
        blocking request.
        """
        return self.client.tokenize(text, model=self.model)

    async def atokenize(self, text: str) -> list[int]:
        """Return the token ids of a text; see `tokenize`."""
        return await self.async_client.tokenize(text, model=self.model)

    def count_tokens(self, messages: Sequence[ChatMessage], **kwargs: Any) -> int:
        """Count the tokens of a prompt with the server's own tokenizer and chat template.

        Args:
            messages: The conversation.
            kwargs: Arguments of `chat` that change the prompt, above all `tools`.
        """
        call = self._prepare(messages, kwargs)
        with self._cache.blocking(self, call.connection) as client:
            return client.count_tokens(call.request)

    async def acount_tokens(self, messages: Sequence[ChatMessage], **kwargs: Any) -> int:
        """Count the tokens of a prompt; see `count_tokens`."""
        call = self._prepare(messages, kwargs)
        async with self._cache.asynchronous(self, call.connection) as client:
            return await client.count_tokens(call.request)

    def _known_info(self) -> "vllm_connect.ServerInfo | None":
        pair = self._cache.current
        return pair.info if pair else None

    def _known_metadata(self) -> dict[str, Any]:
        return {
            "num_output": self.max_completion_tokens or self.max_tokens or -1,
            "is_chat_model": self.is_chat_model,
            "is_function_calling_model": self.is_function_calling_model,
            "model_name": self._model_name(),
        }

    def _model_name(self) -> str:
        info = self._known_info()
        served = info.model() if info else None
        return self.model or (served.id if served else "unknown")

    def _discover_window(self) -> int:
        """Return the server's context window, else LlamaIndex's default; make no request in a running event loop."""
        pair = self._cache.pair(self)
        if pair.info is None and _loop_is_running():
            pair.info_wanted = True
            return DEFAULT_CONTEXT_WINDOW
        return self.server_info().context_window(self.model) or DEFAULT_CONTEXT_WINDOW

    async def _find_window(self) -> None:
        """Ask for the context window if it was read in an event loop."""
        pair = self._cache.pair(self)
        if pair.info_wanted and pair.info is None:
            pair.info = await pair.asynchronous.server_info()


CALLS = (
    *("chat", "achat", "stream_chat", "astream_chat", "complete", "acomplete", "stream_complete", "astream_complete"),
    *("chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools"),
    *("predict_and_call", "apredict_and_call", "structured_predict", "astructured_predict"),
    *("stream_structured_predict", "astream_structured_predict"),
)
"""Methods that receive the arguments of a call."""

for _name in CALLS:
    setattr(VllmLLM, _name, hiding(getattr(VllmLLM, _name)))


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
