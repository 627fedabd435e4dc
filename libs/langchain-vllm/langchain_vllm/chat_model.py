"""`ChatVllm`: LangChain's chat model for a vLLM server.

A call is messages in, a `ChatRequest` out, deltas back, chunks or a message to the caller; this file only connects
the parts. Synchronous and asynchronous methods share all but the `await`.
Source: BaseChatModel (langchain_core/language_models/chat_models.py, 1.6 to 1.7).
"""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

import vllm_connect  # its clients are loaded when one is made
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages, get_buffer_string
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import AliasChoices, BaseModel, Field, PrivateAttr, ValidationError, model_validator
from typing_extensions import Self, override
from vllm_connect import (
    ChatRequest,
    Completion,
    RequestFields,
    VllmConfig,
    configuration_error,
    environment,
    overlay,
    refuse_unknown,
    resolve_tool_choice,
    translate_older,
)
from vllm_connect import ConfigurationError as CoreConfigurationError
from vllm_connect import VllmError as CoreError

from langchain_vllm.chunks import Chunks
from langchain_vllm.clients import SETTINGS, Clients, abriefly, briefly
from langchain_vllm.errors import ConfigurationError, model_errors
from langchain_vllm.events import Events
from langchain_vllm.messages import PROVIDER, ReasoningReplay, from_completion, to_wire, token_usage
from langchain_vllm.signatures import signed
from langchain_vllm.structured import FormParser, Method, Schema, form_of, parsed, response_format
from langchain_vllm.tokens import TokenCounts, estimate, key_of
from langchain_vllm.tools import Tool, to_wire_tools
from langchain_vllm.version import __version__

if TYPE_CHECKING:
    from langchain_protocol.protocol import MessagesData

__all__ = ["ChatVllm"]

logger = logging.getLogger(__name__)

DEFAULTS = {name: field.default for name, field in RequestFields.model_fields.items()}
"""What a field of the request is when nobody set it."""

SENT = frozenset(ChatRequest.model_fields) - {"messages"}
SETTING_NAMES = frozenset(SETTINGS)
CALL_ARGUMENTS = SENT | SETTING_NAMES | {"reasoning_replay"}
"""What a call may set."""

TRACING = frozenset({"ls_structured_output_format", "structured_output_format"})
"""What LangChain adds to a call for its own use."""

OBJECTS = ("structured_outputs", "tool_parser")
"""Fields whose values may be objects of our own, which LangChain's serialiser does not know."""

METHODS = ("json_schema", "function_calling", "json_mode")


class ChatVllm(VllmConfig, RequestFields, BaseChatModel):
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

    model: str | None = Field(
        default_factory=lambda: environment("VLLM_MODEL", str, None),
        validation_alias=AliasChoices("model", "model_name"),
    )
    """Name of the served model or LoRA adapter; None is the server's first model. From `VLLM_MODEL`."""
    temperature: float | None = Field(
        default_factory=lambda: environment("VLLM_TEMPERATURE", float, None),
        ge=0,
        allow_inf_nan=False,
        validate_default=True,
    )
    """Sampling temperature; 0 is greedy. From `VLLM_TEMPERATURE`."""
    stop: list[str] | str | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    """Up to four strings that end the answer."""

    streaming: bool = False
    """Stream inside `invoke`, so that callbacks see every piece."""
    reasoning_replay: ReasoningReplay = "tool_loop"
    """Which assistant messages are sent back with their reasoning: `tool_loop`, those since the last user message;
    `all`; or `none`."""
    context_window: int | None = Field(default=None, ge=1)
    """The model's context window in tokens, for `profile`; `refresh_profile` asks the server."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` to use in place of our own transport; it is never closed."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient`, the same for asynchronous calls."""

    _clients: Clients = PrivateAttr(default_factory=Clients)
    _counts: TokenCounts = PrivateAttr(default_factory=TokenCounts)

    if not TYPE_CHECKING:  # for a type checker the fields are the signature

        def __init__(self, *, client: Any = None, async_client: Any = None, **given: Any) -> None:
            """Take the fields, and stand-ins for the clients.

            Args:
                client: Used in place of a `VllmClient`; it is never closed.
                async_client: Used in place of an `AsyncVllmClient`; it is never closed.
                **given: The fields. Names with an underscore are what LangChain caches in an object and passes on
                    when it makes another from it.
            """
            with model_errors():
                super().__init__(**{name: value for name, value in given.items() if name[0] != "_"})
            if client is not None or async_client is not None:
                self._clients = Clients(client, async_client)

    @model_validator(mode="after")
    def _set_vllm_version(self) -> Self:
        self._add_version("langchain-vllm", __version__)
        return self

    # What LangChain asks of a model

    @property
    @override
    def _llm_type(self) -> str:
        return "vllm-chat"

    @property
    @override
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"base_url": self.base_url, **{name: _plain(value) for name, value in self._set_fields().items()}}

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        params.setdefault("ls_model_name", "default")
        most = kwargs.get("max_completion_tokens", self.max_completion_tokens)
        if most is not None:
            params["ls_max_tokens"] = most
        stops = stop or self.stop
        if stops:
            params["ls_stop"] = [stops] if isinstance(stops, str) else list(stops)
        return params

    @override
    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        combined: dict[str, Any] = {}
        total: dict[str, int] = {}
        for output in llm_outputs:
            combined.update(output or {})
            for name, count in ((output or {}).get("token_usage") or {}).items():
                total[name] = total.get(name, 0) + count
        return {**combined, "token_usage": total} if total else combined

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        profile = ModelProfile(
            tool_calling=True,
            tool_choice=True,
            tool_call_streaming=True,
            structured_output=True,  # beside tools too: the core asks in two phases
            text_inputs=True,
            text_outputs=True,
        )
        if self.context_window is not None:
            profile["max_input_tokens"] = self.context_window
        return profile

    # Serialisation

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        return True

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "VLLM_API_KEY"}

    @property
    @override
    def lc_attributes(self) -> dict[str, Any]:
        named = {"timeout": timeouts.model_dump()} if isinstance(timeouts := self.timeout, BaseModel) else {}
        return {**named, **{name: _plain(value) for name in OBJECTS if (value := getattr(self, name)) is not None}}

    def __getstate__(self) -> dict[Any, Any]:
        """Leave out what cannot leave the process."""
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "http_client": None, "http_async_client": None}}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy, and share the HTTP clients that were given."""
        memo = {} if memo is None else memo
        memo.update({id(shared): shared for shared in (self.http_client, self.http_async_client) if shared is not None})
        return super().__deepcopy__(memo)

    # The server

    @property
    def client(self) -> "vllm_connect.VllmClient":
        """The blocking client, made when first asked for."""
        return self._clients.blocking(self, self.http_client)

    @property
    def async_client(self) -> "vllm_connect.AsyncVllmClient":
        """The asynchronous client, made when first asked for."""
        return self._clients.asynchronous(self, self.http_async_client)

    def close(self) -> None:
        """Close idle connections; the model can be used again."""
        self._clients.close()

    async def aclose(self) -> None:
        """Close idle connections, those of this event loop too; the model can be used again."""
        await self._clients.aclose()

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

    def refresh_profile(self) -> ModelProfile:
        """Ask the server for the context window and put it into `profile`.

        Returns:
            The profile; without `max_input_tokens` where the server does not tell.
        """
        with model_errors():
            return self._learn(self.client.server_info(refresh=True))

    async def arefresh_profile(self) -> ModelProfile:
        """Ask the server for the context window; see `refresh_profile`."""
        with model_errors():
            return self._learn(await self.async_client.server_info(refresh=True))

    def _learn(self, info: "vllm_connect.ServerInfo") -> ModelProfile:
        window = info.context_window(self.model)
        profile = self.profile or ModelProfile()
        self.profile = profile if window is None else {**profile, "max_input_tokens": window}
        return self.profile

    # Answers

    def _set_fields(self) -> dict[str, Any]:
        """List the request's fields that are set on the model."""
        mine = self.__dict__
        return {name: mine[name] for name, default in DEFAULTS.items() if mine[name] != default}

    def _request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, given: Mapping[str, Any], *, stream: bool
    ) -> ChatRequest:
        """Build a call's request; whatever is wrong with the call is found here."""
        call = translate_older({name: value for name, value in given.items() if name not in TRACING})
        refuse_unknown(call, CALL_ARGUMENTS)
        replay = call.get("reasoning_replay", self.reasoning_replay)
        fields = overlay(self._set_fields(), {name: value for name, value in call.items() if name in SENT})
        fields["stream"] = stream
        if stop is not None:
            fields["stop"] = stop
        if fields.get("tools"):
            fields["tools"] = to_wire_tools(fields["tools"])
        if fields.get("response_format") is not None:
            fields["response_format"] = response_format(fields["response_format"])
        if stream and (fields.get("n") or 1) > 1:
            raise ConfigurationError("a stream has one answer in LangChain: call invoke or generate for n > 1")
        try:
            return ChatRequest(**fields, messages=to_wire(messages, replay=replay))
        except ValidationError as error:
            problem = configuration_error(error)
        raise problem

    @signed
    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors():
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
        with model_errors():
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
        with model_errors():
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
        with model_errors():
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
        with model_errors():
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
        with model_errors():
            request = self._request(messages, stop, kwargs, stream=True)
            events = Events(request.tools, run_manager.run_id if run_manager else None)
            async with self._async_client_for(kwargs) as client, aclosing(client.stream(request)) as stream:
                async for deltas in stream:
                    for event in events.feed(deltas):
                        yield event
            for event in events.end():
                yield event

    def _client_for(self, given: Mapping[str, Any]) -> Any:
        """Open the client for a call, another one where the call changes settings."""
        settings = {name: given[name] for name in given.keys() & SETTING_NAMES}
        return briefly(self, settings, self.http_client) if settings else nullcontext(self.client)

    def _async_client_for(self, given: Mapping[str, Any]) -> Any:
        """Open the asynchronous client for a call."""
        settings = {name: given[name] for name in given.keys() & SETTING_NAMES}
        return abriefly(self, settings, self.http_async_client) if settings else nullcontext(self.async_client)

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

    # Tools and structured output

    @override
    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call tools.

        Args:
            tools: `BaseTool`s, functions, pydantic classes, `TypedDict`s, JSON schemas, or the dicts of OpenAI and
                Anthropic.
            tool_choice: `auto`, `none`, `any` or `required` (the same), a tool's name, OpenAI's dict, or a boolean:
                True is `required`, False `none`.
            strict: Whether arguments must have the form of the tool's schema.
            parallel_tool_calls: False allows one call in an answer.
            **kwargs: Whatever a call may set, such as `response_format`.

        Returns:
            The model, bound.

        Raises:
            ConfigurationError: Something is no tool, or the choice names none of them.
        """
        with model_errors():
            refuse_unknown(kwargs, CALL_ARGUMENTS | TRACING)
            wire = to_wire_tools(tools, strict=strict)
            bound: dict[str, Any] = {"tools": wire} if wire else {}
            choice = resolve_tool_choice(tool_choice, wire)
        if choice is not None:
            bound["tool_choice"] = choice
        if parallel_tool_calls is not None and wire:
            bound["parallel_tool_calls"] = parallel_tool_calls
        return self.bind(**bound, **kwargs)

    @override
    def with_structured_output(
        self,
        schema: Schema | None = None,
        *,
        method: Method = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answer in the form of a schema.

        Args:
            schema: A pydantic class (v1 or v2), a `TypedDict`, a dataclass, a JSON schema, a tool's dict, or another type,
                such as `Literal["a", "b"]`, an `Enum`, `bool` or `list[int]`. Only `json_mode` works without one.
            method: `json_schema` constrains the answer; `function_calling` forces a call of a tool with the schema;
                `json_mode` constrains the answer to a JSON object, whose form the prompt has to describe.
            include_raw: Give `{"raw", "parsed", "parsing_error"}`, and raise nothing for an answer that cannot be used.
            strict: What the request says of strictness; not for `json_mode`.
            **kwargs: Whatever a call may set.

        Returns:
            A runnable that gives what the schema stands for: an instance of a class, a dict for the others. A stream
            gives dicts as far as they have come, and instances at the end.

        Raises:
            ConfigurationError: The schema cannot be read, or the method does not exist.
            StructuredOutputError: When run: the answer does not have the form.
        """
        with model_errors():
            if method not in METHODS:
                raise ConfigurationError(f"method={method!r} does not exist: it is one of {', '.join(METHODS)}")
            if schema is None and method != "json_mode":
                raise ConfigurationError(f"method={method!r} needs a schema")
            if strict is not None and method == "json_mode":
                raise ConfigurationError("json_mode has no strict: leave it out, or use json_schema")
            refuse_unknown(kwargs, CALL_ARGUMENTS)
            form = None if schema is None else form_of(schema)
            if form is not None and form.read_call is not None and method == "json_mode":
                raise ConfigurationError("json_mode gives an object, which this type is none of: use json_schema")
        shown: Any = schema if form is None or form.tool is None else form.tool
        traced: dict[str, Any] = {}
        if form is not None:
            traced = {"ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": shown}}
        if method == "function_calling" and form is not None:
            tool = to_wire_tools([shown], strict=strict)
            name = tool[0]["function"]["name"]
            model = self.bind_tools(
                tool, tool_choice=name, **{"parallel_tool_calls": False, "check_constraints": False, **traced, **kwargs}
            )
            return parsed(model, FormParser(form=form.of_call(), tool=name), include_raw=include_raw)
        wanted: dict[str, Any] = {"response_format": {"type": "json_object"}, "structured_outputs": None}
        if form is not None and form.choices is not None:
            wanted = {"response_format": None, "structured_outputs": {"choice": list(form.choices)}}
        elif method != "json_mode":
            wanted["response_format"] = response_format(schema, strict=strict)
        model = self.bind(**{**wanted, "check_constraints": False, **traced, **kwargs})
        return parsed(model, FormParser(form=form), include_raw=include_raw)

    # Counting tokens

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """Turn a text into token ids with the server's tokenizer."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        with model_errors():
            return self.client.tokenize(text, model=self.model)

    async def aget_token_ids(self, text: str) -> list[int]:
        """Turn a text into token ids; the asynchronous form of `get_token_ids`."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        with model_errors():
            return await self.async_client.tokenize(text, model=self.model)

    @override
    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """Count the tokens of a prompt, with its tools and the chat template's markup.

        Args:
            messages: The conversation, or a part of it.
            tools: The tools bound, in any shape.

        Returns:
            The server's count; an estimate, which is logged, where the server cannot count.
        """
        with model_errors():
            counted = self._counted(messages, tools)
            if isinstance(counted, int):
                return counted
            request, key = counted
            try:
                return self._counts.put(key, self.client.count_tokens(request))
            except CoreError as error:
                return self._estimated(error, messages, request)

    async def aget_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None
    ) -> int:
        """Count the tokens of a prompt; the asynchronous form of `get_num_tokens_from_messages`."""
        with model_errors():
            counted = self._counted(messages, tools)
            if isinstance(counted, int):
                return counted
            request, key = counted
            try:
                return self._counts.put(key, await self.async_client.count_tokens(request))
            except CoreError as error:
                return self._estimated(error, messages, request)

    def _counted(self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None) -> int | tuple[ChatRequest, str]:
        """Give the count where no server is needed, else the request to count and its key."""
        if not messages:
            return 0
        if self.custom_get_token_ids is not None:
            texts = [get_buffer_string([message]) for message in messages]
            texts += [str(tool) for tool in to_wire_tools(tools or ())]
            return sum(len(self.custom_get_token_ids(text)) for text in texts)
        request = self._request(convert_to_messages(messages), None, {"tools": tools or None}, stream=False)
        key = key_of(self.base_url, request)
        known = self._counts.get(key)
        return (request, key) if known is None else known

    def _estimated(self, error: CoreError, messages: Sequence[BaseMessage], request: ChatRequest) -> int:
        if isinstance(error, CoreConfigurationError):
            raise error
        logger.info("tokens are estimated, the server did not count them: %s", error.code)
        return estimate(messages, request.tools)


def _plain(value: Any) -> Any:
    """Turn a field's value into what JSON has."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_none=True)
    names = getattr(value, "names", None)
    return names[0] if names else value


def _result(completions: Sequence[Completion]) -> ChatResult:
    """Make the result of a call; the counts, which are those of the whole call, stand on its first answer."""
    generations: list[ChatGeneration] = []
    for completion in completions:
        message = from_completion(completion)
        if generations:
            message.usage_metadata = None
            message.response_metadata.pop("token_usage", None)
        said = message.response_metadata
        info = {name: said[name] for name in ("finish_reason", "stop_reason", "logprobs") if name in said}
        generations.append(ChatGeneration(message=message, generation_info=info))
    first = completions[0]
    output = {"token_usage": token_usage(first.usage), "model_name": first.metadata.get("model")}
    return ChatResult(
        generations=generations, llm_output={name: value for name, value in output.items() if value is not None}
    )
