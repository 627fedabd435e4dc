"""`ChatVllm`: LangChain's chat model for a vLLM server.

A call converts messages to a `ChatRequest`, and the deltas of the answer to a message or to chunks. Synchronous and
asynchronous methods share everything but the `await`.
Source: BaseChatModel (langchain_core/language_models/chat_models.py, 1.6 to 1.7).
"""

import inspect
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

import vllm_connect  # its clients are loaded when one is created
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages, get_buffer_string
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import AliasChoices, BaseModel, Field, PrivateAttr, model_validator
from typing_extensions import Self, override
from vllm_connect import ChatRequest, ConfigurationError as CoreConfigurationError, VllmError as CoreError
from vllm_connect.adapters import (
    CALL_ARGUMENTS,
    AdapterModel,
    call_settings,
    digest,
    environment,
    explicit_fields,
    hiding,
    refuse_unknown,
    resolve_tool_choice,
    translate_foreign_names,
)

from langchain_vllm.chunks import Chunks
from langchain_vllm.errors import model_errors
from langchain_vllm.messages import PROVIDER, from_completions, to_wire
from langchain_vllm.schemas import Schema, to_response_format
from langchain_vllm.stream_events import Events
from langchain_vllm.structured import Method, structured_call, with_parser
from langchain_vllm.tokens import TokenCounts, estimate, key_of
from langchain_vllm.tools import Tool, to_wire_tools
from langchain_vllm.version import __version__

if TYPE_CHECKING:
    from langchain_protocol.protocol import MessagesData

__all__ = ["ChatVllm"]

logger = logging.getLogger(__name__)

TRACING = frozenset({"ls_structured_output_format", "structured_output_format"})
"""Arguments that LangChain adds to a call for its own use."""
IGNORED = TRACING | {"stream"}
"""Arguments of a call that are not passed on; `stream` is read by LangChain."""

OBJECT_FIELDS = ("structured_outputs", "tool_parser")
"""Fields whose values may be objects that LangChain's serialiser does not know."""


class ChatVllm(AdapterModel, BaseChatModel):
    """LangChain chat model for a vLLM server.

    Setup:
        ```bash
        pip install langchain-vllm
        vllm serve Qwen/Qwen3-8B
        ```
        No argument is required. `VLLM_BASE_URL`, `VLLM_MODEL`, `VLLM_API_KEY`, `VLLM_TIMEOUT`, `VLLM_MAX_RETRIES` and
        `VLLM_TEMPERATURE` are read if the argument is not given; `OPENAI_API_KEY` never is.

    Arguments:
        Every setting of `vllm_connect.VllmConfig` (where the server is and how to talk to it), every field of
        `vllm_connect.RequestFields` (how an answer is generated), and those of `BaseChatModel`. A field that is not set is
        not sent, so that the defaults of the served model apply. An unknown argument raises `ConfigurationError`.
        `client` and `async_client` are clients to use in place of new ones.

    Invoke:
        ```python
        from langchain_vllm import ChatVllm

        model = ChatVllm(base_url="http://localhost:8000", temperature=0)
        model.invoke("Hello").text
        ```
        Every field and every setting can be given for one call, `model.invoke("Hello", top_k=5, timeout=10)`; None removes
        the model's value, and `extra_body` and `chat_template_kwargs` are merged deeply into the model's.

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
        Calls that are malformed or truncated are in `invalid_tool_calls`, with and without a stream.

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
        `load(dumpd(model), valid_namespaces=["langchain_vllm"], allowed_objects=[ChatVllm])` restores the model.
        No serialised form, pickle or `repr` has an API key. `extra_body` is serialised like a secret: give it to `load` as
        `secrets_map={"VLLM_EXTRA_BODY": {...}}`.

    Raises:
        langchain_vllm.errors.VllmError: Every error of a call; each class is also one of langchain-core's `ModelError`
            family. `ConfigurationError` is raised before anything is sent.
    """

    model: str | None = Field(
        default_factory=lambda: environment("VLLM_MODEL", str, None),
        validation_alias=AliasChoices("model", "model_name"),
    )
    """Name of the served model or LoRA adapter, from `VLLM_MODEL`; None is the server's first model."""
    stop: list[str] | str | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    """Up to four strings that end the answer."""
    streaming: bool = False
    """Stream inside of `invoke`, so that callbacks receive every chunk."""

    _counts: TokenCounts = PrivateAttr(default_factory=TokenCounts)

    if not TYPE_CHECKING:  # for a type checker the fields are the signature

        def __init__(self, **given: Any) -> None:
            with model_errors:
                try:  # names with an underscore are caches, which LangChain passes on when it rebuilds an object
                    super().__init__(**{name: value for name, value in given.items() if name[0] != "_"})
                finally:
                    given.clear()  # tracebacks, and what reports them, show the variables of a frame

    @model_validator(mode="after")
    def _set_vllm_version(self) -> Self:
        self._add_version("langchain-vllm", __version__)
        return self

    # Answers

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors:
            request, connection = self._prepare(messages, stop, kwargs, stream=False)
            with self._cache.blocking(self, connection) as client:
                return from_completions(client.complete_choices(request))

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors:
            request, connection = self._prepare(messages, stop, kwargs, stream=False)
            async with self._cache.asynchronous(self, connection) as client:
                return from_completions(await client.complete_choices(request))

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with model_errors:
            request, connection = self._prepare(messages, stop, kwargs, stream=True)
            chunks = Chunks(request.tools)
            with self._cache.blocking(self, connection) as client, closing(client.stream(request)) as stream:
                for deltas in stream:
                    if chunk := chunks.push(deltas):
                        if run_manager:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield chunks.finish()

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with model_errors:
            request, connection = self._prepare(messages, stop, kwargs, stream=True)
            chunks = Chunks(request.tools)
            async with self._cache.asynchronous(self, connection) as client, aclosing(client.stream(request)) as stream:
                async for deltas in stream:
                    if chunk := chunks.push(deltas):
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
            yield chunks.finish()

    def _stream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> "Iterator[MessagesData]":
        """Stream events; LangChain calls this for `version="v3"`."""
        with model_errors:
            request, connection = self._prepare(messages, stop, kwargs, stream=True)
            events = Events(request.tools, run_manager.run_id if run_manager else None)
            with self._cache.blocking(self, connection) as client, closing(client.stream(request)) as stream:
                for deltas in stream:
                    yield from events.push(deltas)
            yield from events.finish()

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> "AsyncIterator[MessagesData]":
        """Stream events; the asynchronous form of `_stream_chat_model_events`."""
        with model_errors:
            request, connection = self._prepare(messages, stop, kwargs, stream=True)
            events = Events(request.tools, run_manager.run_id if run_manager else None)
            async with self._cache.asynchronous(self, connection) as client, aclosing(client.stream(request)) as stream:
                async for deltas in stream:
                    for event in events.push(deltas):
                        yield event
            for event in events.finish():
                yield event

    @override
    def _should_stream(self, *, async_api: bool, run_manager: Any = None, **kwargs: Any) -> bool:
        one_answer = self.streaming_allowed and (kwargs.get("n", self.n) or 1) == 1
        return (one_answer or bool(kwargs.get("stream"))) and super()._should_stream(
            async_api=async_api, run_manager=run_manager, **kwargs
        )

    @override
    def _should_use_protocol_streaming(self, *, async_api: bool, run_manager: Any = None, **kwargs: Any) -> bool:
        return self.streaming_allowed and super()._should_use_protocol_streaming(
            async_api=async_api, run_manager=run_manager, **kwargs
        )

    def _prepare(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any], *, stream: bool
    ) -> tuple[ChatRequest, dict[str, Any]]:
        """Build a call's request; return it with the settings of the connection that this call alone has."""
        settings = call_settings(self, {name: value for name, value in kwargs.items() if name not in IGNORED})
        fields = settings.fields
        if stop is not None:
            fields["stop"] = stop
        if fields.get("response_format") is not None:
            fields["response_format"] = to_response_format(fields["response_format"])
        tools = to_wire_tools(fields.pop("tools", None) or ())
        wire_messages = to_wire(messages, replay=settings.reasoning_replay)
        return self._build_request(fields, wire_messages, tools, stream=stream), settings.connection

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
        """Bind tools that the model can call.

        Args:
            tools: `BaseTool`s, functions, pydantic classes, `TypedDict`s, JSON schemas, or the dicts of OpenAI and
                Anthropic.
            tool_choice: `auto`, `none`, `any` or `required` (the same), a tool's name, OpenAI's dict, or a boolean:
                True is `required`, False is `none`.
            strict: Whether arguments must match the tool's schema.
            parallel_tool_calls: False allows one call per answer.
            **kwargs: Further arguments of a call, such as `response_format`.

        Returns:
            The model, bound.

        Raises:
            ConfigurationError: An item is not a tool, or the choice names none of them.
        """
        with model_errors:
            kwargs = _call_arguments(kwargs)
            wire_tools = to_wire_tools(tools, strict=strict)
            choice = resolve_tool_choice(tool_choice, wire_tools)
        bound: dict[str, Any] = {"tools": wire_tools} if wire_tools else {}
        if choice is not None:
            bound["tool_choice"] = choice
        if parallel_tool_calls is not None and wire_tools:
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
        """Return a runnable whose answers match a schema.

        Args:
            schema: A pydantic class (v1 or v2), a `TypedDict`, a dataclass, a JSON schema, a tool's dict, or another type,
                such as `Literal["a", "b"]`, an `Enum`, `bool` or `list[int]`. Only `json_mode` works without one.
            method: `json_schema` constrains the answer; `function_calling` forces a call of a tool with the schema;
                `json_mode` constrains the answer to a JSON object, whose schema the prompt has to describe.
            include_raw: Return `{"raw", "parsed", "parsing_error"}`, and raise nothing if the answer cannot be parsed.
            strict: The value of `strict` in the request; not for `json_mode`.
            **kwargs: Further arguments of a call.

        Returns:
            A runnable that returns an instance of a class, or a dict for the other schemas. Its stream yields dicts as far
            as they have been written, and an instance at the end.

        Raises:
            ConfigurationError: The schema cannot be converted, or the method does not exist.
            StructuredOutputError: When run: the answer does not match the schema.
        """
        with model_errors:
            kwargs = _call_arguments(kwargs)
            bound, parser = structured_call(schema, method, strict=strict)
        return with_parser(self.bind(**{**bound, **kwargs}), parser, include_raw=include_raw)

    # Profile, tracing and usage

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        profile = ModelProfile(
            tool_calling=True,
            tool_choice=True,
            tool_call_streaming=True,
            structured_output=True,  # with tools too: the answer is requested in two phases
            text_inputs=True,
            text_outputs=True,
        )
        if self.context_window is not None:
            profile["max_input_tokens"] = self.context_window
        return profile

    def server_info(self, *, refresh: bool = False) -> "vllm_connect.ServerInfo":
        """Return which server this is: version, models, context windows; asked once and remembered.

        Args:
            refresh: Ask again.

        Raises:
            VllmError: The server was not reached, or refuses to answer.
        """
        with model_errors:
            return self.client.server_info(refresh=refresh)

    async def aserver_info(self, *, refresh: bool = False) -> "vllm_connect.ServerInfo":
        """Return which server this is; see `server_info`."""
        with model_errors:
            return await self.async_client.server_info(refresh=refresh)

    def is_healthy(self) -> bool:
        """Check whether the server answers and its engine is alive, within ten seconds."""
        with model_errors:
            return self.client.is_healthy()

    async def ais_healthy(self) -> bool:
        """Check whether the server is healthy; see `is_healthy`."""
        with model_errors:
            return await self.async_client.is_healthy()

    def refresh_profile(self) -> ModelProfile:
        """Ask the server for the context window, and update `profile`.

        Returns:
            The profile; without `max_input_tokens` if the server does not report it.
        """
        with model_errors:
            return self._update_profile(self.client.server_info(refresh=True))

    async def arefresh_profile(self) -> ModelProfile:
        """Ask the server for the context window, and update `profile`; see `refresh_profile`."""
        with model_errors:
            return self._update_profile(await self.async_client.server_info(refresh=True))

    def _update_profile(self, info: "vllm_connect.ServerInfo") -> ModelProfile:
        window = info.context_window(self.model)
        profile = self.profile or ModelProfile()
        self.profile = profile if window is None else {**profile, "max_input_tokens": window}
        return self.profile

    @property
    @override
    def _llm_type(self) -> str:
        return "vllm-chat"

    @property
    @override
    def _identifying_params(self) -> Mapping[str, Any]:
        fields = {name: _json_value(value) for name, value in explicit_fields(self).items() if name != "extra_body"}
        return {"base_url": self.base_url, **fields}

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """Return the key of the cache; what is hidden counts and does not show."""
        hidden = digest(self.extra_body, kwargs.get("extra_body"), kwargs.get("headers"))
        return super()._get_llm_string(stop=stop, **kwargs) + hidden

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        params.setdefault("ls_model_name", "default")
        max_tokens = kwargs.get("max_completion_tokens", self.max_completion_tokens)
        if max_tokens is not None:
            params["ls_max_tokens"] = max_tokens
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

    # Token counts

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """Return the token ids of a text, by the server's tokenizer."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        with model_errors:
            return self.client.tokenize(text, model=self.model)

    async def aget_token_ids(self, text: str) -> list[int]:
        """Return the token ids of a text; see `get_token_ids`."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        with model_errors:
            return await self.async_client.tokenize(text, model=self.model)

    @override
    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """Count the tokens of a prompt, with its tools and the markup of the chat template.

        Args:
            messages: The conversation, or a part of it.
            tools: The tools bound, in any format.

        Returns:
            The server's count; an estimate, which is logged, if the server cannot count.
        """
        with model_errors:
            known = self._known_count(messages, tools)
            if isinstance(known, int):
                return known
            request, key = known
            try:
                return self._counts.add(key, self.client.count_tokens(request))
            except CoreError as error:
                return _estimated(error, messages, request)

    async def aget_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None = None
    ) -> int:
        """Count the tokens of a prompt; see `get_num_tokens_from_messages`."""
        with model_errors:
            known = self._known_count(messages, tools)
            if isinstance(known, int):
                return known
            request, key = known
            try:
                return self._counts.add(key, await self.async_client.count_tokens(request))
            except CoreError as error:
                return _estimated(error, messages, request)

    def _known_count(
        self, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None
    ) -> int | tuple[ChatRequest, str]:
        """Return the count if no request is needed, else the request to count and its key."""
        if not messages:
            return 0
        if self.custom_get_token_ids is not None:
            texts = [get_buffer_string([message]) for message in messages]
            texts += [str(tool) for tool in to_wire_tools(tools or ())]
            return sum(len(self.custom_get_token_ids(text)) for text in texts)
        request, _ = self._prepare(convert_to_messages(messages), None, {"tools": tools or None}, stream=False)
        key = key_of(self.base_url, request)
        count = self._counts.get(key)
        return (request, key) if count is None else count

    # Serialisation

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        return True

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "VLLM_API_KEY", "extra_body": "VLLM_EXTRA_BODY"}

    @property
    @override
    def lc_attributes(self) -> dict[str, Any]:
        timeouts = {"timeout": self.timeout.model_dump()} if isinstance(self.timeout, BaseModel) else {}
        objects = {name: value for name in OBJECT_FIELDS if (value := getattr(self, name)) is not None}
        return {**timeouts, **{name: _json_value(value) for name, value in objects.items()}}


CALLS = (
    *("invoke", "ainvoke", "stream", "astream", "batch", "abatch", "batch_as_completed", "abatch_as_completed"),
    *("generate", "agenerate", "generate_prompt", "agenerate_prompt", "stream_events", "astream_events"),
    *("bind", "bind_tools", "with_structured_output"),
)
"""Methods that receive the arguments of a call."""

for _name in CALLS:
    setattr(ChatVllm, _name, hiding(getattr(ChatVllm, _name)))


def _call_arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Translate the arguments that are bound to a model, and check that all are known."""
    known = CALL_ARGUMENTS | TRACING
    arguments = translate_foreign_names(given, known)
    refuse_unknown(arguments, known)
    return arguments


def _cache_signature(method: Any) -> None:
    """Set the signature on a method, where `inspect` looks first (PEP 362): LangChain inspects it in every call."""
    method.__signature__ = inspect.signature(method)


_cache_signature(ChatVllm._generate)  # noqa: SLF001 - our own
_cache_signature(ChatVllm._agenerate)  # noqa: SLF001 - the same


def _estimated(error: CoreError, messages: Sequence[BaseMessage], request: ChatRequest) -> int:
    if isinstance(error, CoreConfigurationError):
        raise error
    logger.info("the server did not count the tokens, they are estimated: %s", error.code)
    return estimate(messages, request.tools)


def _json_value(value: Any) -> Any:
    """Convert a field's value to JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_none=True)
    names = getattr(value, "names", None)
    return names[0] if names else value
