"""What a `VllmLLM` is set to, and the request that comes of it and of a call's arguments.

`temperature=0` sends `{"temperature": 0}`; what nobody set is not in the request.
"""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import vllm_connect  # what only some calls need is loaded by them
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from pydantic import Field, PrivateAttr, field_validator
from typing_extensions import Self
from vllm_connect import (
    ChatRequest,
    ConfigurationError,
    RequestFields,
    VllmConfig,
    environment,
    explicit_fields,
    override_fields,
    refuse_unknown,
    translate_older,
)

from llama_index_vllm.answer import Terms
from llama_index_vllm.clients import GIVEN, Clients, Pair
from llama_index_vllm.messages import Replay, to_wire
from llama_index_vllm.migration import ALIASES, from_elsewhere
from llama_index_vllm.structured import StructuredPrediction
from llama_index_vllm.tools import tool_spec

__all__ = ["ModelSettings"]

OWN_CALL_ARGUMENTS = frozenset({"reasoning_replay", "wire_names"})
CALL_ARGUMENTS = frozenset(ChatRequest.model_fields) - {"messages", "stream"} | OWN_CALL_ARGUMENTS | ALIASES.keys()
"""What a call takes beside its messages."""


def _temperature(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdecimal() else math.nan
    if not 0 <= value < math.inf:
        raise ValueError("expected a number of at least 0")
    return value


class ModelSettings(VllmConfig, RequestFields, StructuredPrediction):
    """The fields of a `VllmLLM`, its copies, and the requests it makes."""

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
            try:
                super().__init__(**from_elsewhere(given, stacklevel=3))
            finally:
                given.clear()  # tracebacks, and what reports them, show the variables of a frame

    @field_validator("tool_parser")
    @classmethod
    def _name_format(cls, tool_parser: Any) -> Any:
        """Keep a format that has a name by its name, which every copy and every dump can hold."""
        named = (
            isinstance(tool_parser, vllm_connect.Format)
            and vllm_connect.find_format(tool_parser.names[0]) is tool_parser
        )
        return tool_parser.names[0] if named else tool_parser

    def __copy__(self) -> Self:
        made = super().__copy__()
        made._clients = copy(self._clients)  # noqa: SLF001 - the copy's own: with other settings it has another server
        return made

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = {id(value): value for name in GIVEN if (value := getattr(self, name)) is not None}
        return super().__deepcopy__({**(memo or {}), **shared})

    # Requests

    @property
    def _held(self) -> Clients:
        """The clients; pydantic looks for a private attribute everywhere else first, which each call would wait for."""
        private = self.__pydantic_private__ or {}
        held: Clients = private["_clients"]
        return held

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
        fields = override_fields(explicit_fields(self), given)
        if tools is None:
            fields["parallel_tool_calls"] = None
        fields["stream"] = stream
        sent = to_wire(
            messages,
            replay=replay,
            developer_as_system=self.developer_as_system,
            wire_names=wire_names,
        )
        held = self._held
        request = held.requests.build(fields, sent, tools)
        if stream and (request.n or 1) > 1:
            raise ConfigurationError("a stream of LlamaIndex has one answer: call chat or achat for n of them")
        names = {wire: name for name, wire in wire_names.items()}
        return held.of(self), request, Terms(tools, names)

    def _prompted(self, prompt: str, formatted: bool) -> list[ChatMessage]:
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        return [ChatMessage(role=MessageRole.USER, content=prompt)]
