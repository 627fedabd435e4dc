"""What a `ChatVllm` is set to, what LangChain asks of it by name, and the request that comes of both.

`temperature=0` sends `{"temperature": 0}`; what nobody set is not in the request.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import BaseMessage
from pydantic import AliasChoices, BaseModel, Field, PrivateAttr, model_validator
from typing_extensions import Self, override
from vllm_connect import (
    ChatRequest,
    RequestFields,
    VllmConfig,
    environment,
    explicit_fields,
    override_fields,
    refuse_unknown,
    translate_older,
)

from langchain_vllm.clients import SETTINGS, Clients
from langchain_vllm.errors import ConfigurationError, model_errors
from langchain_vllm.messages import PROVIDER, ReasoningReplay, to_wire
from langchain_vllm.structured import response_format
from langchain_vllm.tools import to_wire_tools
from langchain_vllm.version import __version__

__all__ = ["CALL_ARGUMENTS", "SETTING_NAMES", "TRACING", "ModelSettings"]

SENT = frozenset(ChatRequest.model_fields) - {"messages"}
SETTING_NAMES = frozenset(SETTINGS)
CALL_ARGUMENTS = SENT | SETTING_NAMES | {"reasoning_replay"}
"""What a call may set."""

TRACING = frozenset({"ls_structured_output_format", "structured_output_format"})
"""What LangChain adds to a call for its own use."""

OBJECTS = ("structured_outputs", "tool_parser")
"""Fields whose values may be objects of our own, which LangChain's serialiser does not know."""


class ModelSettings(VllmConfig, RequestFields, BaseChatModel):
    """The fields of a `ChatVllm`, their names and copies for LangChain, and the requests they make."""

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

    if not TYPE_CHECKING:  # for a type checker the fields are the signature

        def __init__(self, *, client: Any = None, async_client: Any = None, **given: Any) -> None:
            """Take the fields, and stand-ins for the clients.

            Args:
                client: Used in place of a `VllmClient`; it is never closed.
                async_client: Used in place of an `AsyncVllmClient`; it is never closed.
                **given: The fields. Names with an underscore are what LangChain caches in an object and passes on
                    when it makes another from it.
            """
            with model_errors:
                try:
                    super().__init__(**{name: value for name, value in given.items() if name[0] != "_"})
                finally:
                    given.clear()  # tracebacks, and what reports them, show the variables of a frame
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
        return {"base_url": self.base_url, **{name: _plain(value) for name, value in explicit_fields(self).items()}}

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

    def __copy__(self) -> Self:
        made = super().__copy__()
        made._clients = copy(self._clients)  # noqa: SLF001 - the copy's own: with other settings it has another server
        return made

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy, and share the HTTP clients that were given."""
        memo = {} if memo is None else memo
        memo.update({id(shared): shared for shared in (self.http_client, self.http_async_client) if shared is not None})
        return super().__deepcopy__(memo)

    # Requests

    @property
    def _held(self) -> Clients:
        """The clients; pydantic looks for a private attribute everywhere else first, which each call would wait for."""
        private = self.__pydantic_private__ or {}
        held: Clients = private["_clients"]
        return held

    def _request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, given: Mapping[str, Any], *, stream: bool
    ) -> ChatRequest:
        """Build a call's request; whatever is wrong with the call is found here."""
        call = translate_older({name: value for name, value in given.items() if name not in TRACING})
        refuse_unknown(call, CALL_ARGUMENTS)
        replay = call.get("reasoning_replay", self.reasoning_replay)
        fields = override_fields(explicit_fields(self), {name: value for name, value in call.items() if name in SENT})
        fields["stream"] = stream
        if stop is not None:
            fields["stop"] = stop
        tools = fields.pop("tools", None)
        if fields.get("response_format") is not None:
            fields["response_format"] = response_format(fields["response_format"])
        if stream and (fields.get("n") or 1) > 1:
            raise ConfigurationError("a stream has one answer in LangChain: call invoke or generate for n > 1")
        wire_messages = to_wire(messages, replay=replay)
        return self._held.requests.build(fields, wire_messages, to_wire_tools(tools) if tools else None)


def _plain(value: Any) -> Any:
    """Turn a field's value into what JSON has."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_none=True)
    names = getattr(value, "names", None)
    return names[0] if names else value
