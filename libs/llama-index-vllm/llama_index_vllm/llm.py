"""A vLLM server as an LLM of LlamaIndex.

    llm = VllmLLM(base_url="http://localhost:8000", model="demo", temperature=0)
    llm.chat([ChatMessage("Hi")]).message.content

Blocking and asynchronous methods, whole answers and streams share everything but the `await`: `_call` builds the
request, a client of `vllm_connect` gives deltas, and `answer` shows them as LlamaIndex's responses.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from types import TracebackType
from typing import TYPE_CHECKING, Any

import vllm_connect  # what only some calls need is loaded by them
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
from pydantic import Field, PrivateAttr, ValidationError, field_validator
from typing_extensions import Self, override
from vllm_connect import (
    ChatRequest,
    ConfigurationError,
    RequestFields,
    VllmConfig,
    configuration_error,
    environment,
    overlay,
    refuse_unknown,
    translate_older,
)

from llama_index_vllm.answer import Answer, Terms, to_completion_response
from llama_index_vllm.clients import GIVEN, Clients, Pair
from llama_index_vllm.events import chat_events, completion_events
from llama_index_vllm.messages import Replay, to_wire
from llama_index_vllm.metadata import ServedMetadata
from llama_index_vllm.migration import ALIASES, from_elsewhere
from llama_index_vllm.structured import StructuredPrediction
from llama_index_vllm.tools import tool_spec

__all__ = ["VllmLLM"]

OWN_CALL_ARGUMENTS = frozenset({"reasoning_replay", "wire_names"})
CALL_ARGUMENTS = frozenset(ChatRequest.model_fields) - {"messages", "stream"} | OWN_CALL_ARGUMENTS | ALIASES.keys()
"""What a call takes beside its messages."""

UNSET = {name: field.default for name, field in RequestFields.model_fields.items()}
"""What a field of the request is where nobody set it."""


def _temperature(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdecimal() else math.nan
    if not 0 <= value < math.inf:
        raise ValueError("expected a number of at least 0")
    return value


class VllmLLM(VllmConfig, RequestFields, StructuredPrediction):
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

    model: str | None = Field(default_factory=lambda: environment("VLLM_MODEL", str, None))
    """Name of the served model or LoRA adapter, from `VLLM_MODEL`; None is the server's first model."""
    temperature: float | None = Field(
        default_factory=lambda: environment("VLLM_TEMPERATURE", _temperature, None), ge=0, allow_inf_nan=False
    )
    """Sampling temperature, from `VLLM_TEMPERATURE`; None is the server's, which comes from the model's own config."""

    context_window: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer together; None asks the server."""
    is_chat_model: bool = True
    """What `metadata` says; the chat endpoint is used in any case."""
    is_function_calling_model: bool = True
    """What `metadata` says: False keeps agents and programs from giving the model tools."""
    reasoning_replay: Replay = "tool_loop"
    """Whose reasoning is sent back: `tool_loop` of the messages since the last user message, `all`, `none`."""
    developer_as_system: bool = True
    """Send developer messages as system messages; few chat templates know the developer."""

    client: Any = Field(default=None, exclude=True, repr=False)
    """A `VllmClient`, or a fake with its methods, to use for blocking calls."""
    async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `AsyncVllmClient`, or a fake with its methods, to use for asynchronous calls."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` to use for blocking calls; it is never closed."""
    async_http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` to use for asynchronous calls; it is never closed."""

    _clients: Clients = PrivateAttr(default_factory=Clients)

    if not TYPE_CHECKING:  # for a type checker the fields are the signature

        def __init__(self, **given: Any) -> None:
            super().__init__(**from_elsewhere(given, stacklevel=3))

    @field_validator("tool_parser")
    @classmethod
    def _name_format(cls, tool_parser: Any) -> Any:
        """Keep a format that has a name by its name, which every copy and every dump can hold."""
        named = (
            isinstance(tool_parser, vllm_connect.Format)
            and vllm_connect.find_format(tool_parser.names[0]) is tool_parser
        )
        return tool_parser.names[0] if named else tool_parser

    @classmethod
    @override
    def class_name(cls) -> str:
        """Name the class for serialisation and tracing."""
        return "VllmLLM"

    # Facts

    @property
    @override
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex knows of the model; see the class about `context_window`."""
        if self.context_window is not None:
            return LLMMetadata(context_window=self.context_window, **self._known())
        return ServedMetadata(self._discover_window, **self._known())

    @override
    def to_payload(self) -> dict[str, Any]:
        """Describe the model for callbacks and tracers, without a request and without a secret."""
        payload = {"class_name": self.class_name(), **self._known(), "model": self._model_name()}
        pair = self._clients.made()
        info = pair.info if pair else None
        window = self.context_window or (info.context_window(self.model) if info else None)
        return {
            **payload,
            **({} if window is None else {"context_window": window}),
            **({} if self.temperature is None else {"temperature": self.temperature}),
        }

    def server_info(self, *, refresh: bool = False) -> "vllm_connect.ServerInfo":
        """Tell which server this is: its version, its models, their context windows.

        Args:
            refresh: Ask again.
        """
        pair = self._clients.of(self)
        if pair.info is None or refresh:
            pair.info = pair.blocking.server_info(refresh=refresh)
        return pair.info

    async def aserver_info(self, *, refresh: bool = False) -> "vllm_connect.ServerInfo":
        """Tell which server this is; see `server_info`."""
        pair = self._clients.of(self)
        if pair.info is None or refresh:
            pair.info = await pair.asynchronous.server_info(refresh=refresh)
        return pair.info

    def is_healthy(self) -> bool:
        """Tell whether the server answers and its engine lives, within ten seconds."""
        return self._clients.of(self).blocking.is_healthy()

    async def ais_healthy(self) -> bool:
        """Tell whether the server answers and its engine lives, within ten seconds."""
        return await self._clients.of(self).asynchronous.is_healthy()

    def tokenize(self, text: str) -> list[int]:
        """Turn text into token ids with the server's tokenizer.

        `Settings.tokenizer = llm.tokenize` makes LlamaIndex count and split in this model's tokens. It is a request for
        each text, and a blocking one.
        """
        return self._clients.of(self).blocking.tokenize(text, model=self.model)

    async def atokenize(self, text: str) -> list[int]:
        """Turn text into token ids; see `tokenize`."""
        return await self._clients.of(self).asynchronous.tokenize(text, model=self.model)

    def count_tokens(self, messages: Sequence[ChatMessage], **kwargs: Any) -> int:
        """Count the tokens of a prompt with the server's own tokenizer and template.

        Args:
            messages: The conversation.
            kwargs: Arguments of `chat` that change the prompt, `tools` above all.
        """
        pair, request, _ = self._call(messages, kwargs)
        return pair.blocking.count_tokens(request)

    async def acount_tokens(self, messages: Sequence[ChatMessage], **kwargs: Any) -> int:
        """Count the tokens of a prompt; see `count_tokens`."""
        pair, request, _ = self._call(messages, kwargs)
        return await pair.asynchronous.count_tokens(request)

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

    # Requests

    def _call(
        self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], *, stream: bool = False
    ) -> tuple[Pair, ChatRequest, Terms]:
        """Prepare a call: the clients, what to ask, and what to read the answer by."""
        kwargs = translate_older(dict(kwargs))
        refuse_unknown(kwargs, CALL_ARGUMENTS)
        given = from_elsewhere(kwargs, stacklevel=6)
        wire_names = given.pop("wire_names", None) or {}
        replay = given.pop("reasoning_replay", self.reasoning_replay)
        tools = [tool_spec(tool) for tool in given.pop("tools", None) or ()] or None
        own = {name: value for name, unset in UNSET.items() if (value := getattr(self, name)) != unset}
        fields = overlay(own, given)
        if tools is None:
            fields["parallel_tool_calls"] = None
        fields["tools"] = tools
        fields["messages"] = to_wire(
            messages,
            replay=replay,
            developer_as_system=self.developer_as_system,
            wire_names=wire_names,
        )
        request = _checked({**fields, "stream": stream})
        if stream and (request.n or 1) > 1:
            raise ConfigurationError("a stream of LlamaIndex has one answer: call chat or achat for n of them")
        names = {wire: name for name, wire in wire_names.items()}
        return self._clients.of(self), request, Terms(tools, names)

    def _prompted(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]

    # The context window

    def _known(self) -> dict[str, Any]:
        return {
            "num_output": self.max_completion_tokens or self.max_tokens or -1,
            "is_chat_model": self.is_chat_model,
            "is_function_calling_model": self.is_function_calling_model,
            "model_name": self._model_name(),
        }

    def _model_name(self) -> str:
        pair = self._clients.made()
        served = pair.info.model() if pair and pair.info else None
        return self.model or (served.id if served else "unknown")

    def _discover_window(self) -> int:
        """Tell the context window: of the server, else LlamaIndex's default; wait for it outside of event loops only."""
        pair = self._clients.of(self)
        if pair.info is None and _loop_is_running():
            pair.window_wanted = True
            return DEFAULT_CONTEXT_WINDOW
        return self.server_info().context_window(self.model) or DEFAULT_CONTEXT_WINDOW

    async def _find_window(self, pair: Pair) -> None:
        """Ask for the context window if somebody wanted to know it in an event loop."""
        if pair.window_wanted and pair.info is None:
            pair.info = await pair.asynchronous.server_info()

    # Lifecycle

    def close(self) -> None:
        """Close the idle connections of blocking calls; the model can be used again."""
        if pair := self._clients.made():
            pair.blocking.close()

    async def aclose(self) -> None:
        """Close the idle connections, those of this event loop and those of blocking calls."""
        if pair := self._clients.made():
            await pair.asynchronous.aclose()
            pair.blocking.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __copy__(self) -> Self:
        made = super().__copy__()
        made._clients = Clients()  # noqa: SLF001 - the copy's own: with other settings it has another server
        return made

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(value): value for name in GIVEN if (value := getattr(self, name)) is not None}
        return super().__deepcopy__({**(memo or {}), **shared})


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _checked(fields: dict[str, Any]) -> ChatRequest:
    try:
        return ChatRequest(**fields)
    except ValidationError as error:
        problem = configuration_error(error)
    raise problem
