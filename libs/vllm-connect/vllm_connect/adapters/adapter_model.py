"""The part of a framework's model class that no framework knows: its settings, its clients and its copies.

`class ChatVllm(AdapterModel, BaseChatModel)` has every setting of the connection, every field of a request, and those
below. An explicit argument comes before the environment (`VLLM_BASE_URL`, `VLLM_MODEL`, `VLLM_TEMPERATURE`, …), the
environment before the default; a request field that is not set is not sent.
"""

from collections.abc import Sequence
from copy import copy
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field, PrivateAttr, ValidationInfo, field_validator
from typing_extensions import Self

import vllm_connect  # its clients are loaded when one is created
from vllm_connect.adapters.client_cache import HTTP_CLIENTS, ClientCache
from vllm_connect.adapters.foreign_names import translate_foreign_names
from vllm_connect.adapters.replay import ReasoningReplay
from vllm_connect.config.config import VllmConfig, argument_names
from vllm_connect.config.environment import environment, read_number
from vllm_connect.config.validation import check_async_http_client, check_http_client
from vllm_connect.errors import ConfigurationError
from vllm_connect.request.chat_request import ChatRequest, RequestFields

__all__ = ["AdapterModel"]

FROM_SERVER = frozenset({"auto", "server"})
"""Values of `tool_parser` and `reasoning_parser` that are not names of a parser."""


class AdapterModel(VllmConfig, RequestFields):
    """Settings, clients and copies of a model class; inherit it before the framework's class.

    Args:
        client: A `VllmClient`, or a fake with its methods, for blocking calls; it is never closed.
        async_client: An `AsyncVllmClient`, or a fake with its methods, for asynchronous calls; it is never closed.
        **given: The fields.
    """

    model: str | None = Field(default_factory=lambda: environment("VLLM_MODEL", str, None))
    """Name of the served model or LoRA adapter, from `VLLM_MODEL`; None is the server's first model."""
    temperature: float | None = Field(
        default_factory=lambda: environment("VLLM_TEMPERATURE", read_number, None), ge=0, allow_inf_nan=False
    )
    """Sampling temperature, from `VLLM_TEMPERATURE`; 0 is greedy, None is the server's default for the model."""
    context_window: int | None = Field(default=None, ge=1)
    """Size of the model's context window in tokens, prompt and answer together; None leaves it to the server."""
    reasoning_replay: ReasoningReplay = "tool_loop"
    """Which assistant messages are sent back with their reasoning: `tool_loop`, those since the last user message;
    `all`; or `none`."""

    http_client: Annotated[Any, AfterValidator(check_http_client)] = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` for blocking calls, in place of the built-in transport; it is never closed."""
    http_async_client: Annotated[Any, AfterValidator(check_async_http_client)] = Field(
        default=None,
        exclude=True,
        repr=False,
        validation_alias=AliasChoices("http_async_client", "async_http_client"),
    )
    """An `httpx.AsyncClient` for asynchronous calls, in place of the built-in transport; it is never closed."""

    @field_validator("tool_parser", "reasoning_parser")
    @classmethod
    def _parser_exists(cls, name: Any, field: ValidationInfo) -> Any:
        if isinstance(name, str) and name not in FROM_SERVER:
            from vllm_connect.parsing.reasoning import find_reasoning  # noqa: PLC0415 - loaded where a name is given

            find = vllm_connect.find_format if field.field_name == "tool_parser" else find_reasoning
            find(name)
        return name

    _clients: ClientCache = PrivateAttr(default_factory=ClientCache)

    if not TYPE_CHECKING:  # for a type checker the fields are the signature

        def __init__(self, *, client: Any = None, async_client: Any = None, **given: Any) -> None:
            try:
                super().__init__(**translate_foreign_names(given, argument_names(type(self))))
            finally:
                given.clear()  # tracebacks, and what reports them, show the variables of a frame
            if client is not None or async_client is not None:
                self._clients = ClientCache(client, async_client)

    # Clients

    @property
    def _cache(self) -> ClientCache:
        """The clients; pydantic searches everything else first for a private attribute, which every call would pay for."""
        private = self.__pydantic_private__ or {}
        cache: ClientCache = private["_clients"]
        return cache

    @property
    def client(self) -> "vllm_connect.VllmClient":
        """The client for blocking calls, created when it is first needed."""
        return self._cache.pair(self).blocking

    @property
    def async_client(self) -> "vllm_connect.AsyncVllmClient":
        """The client for asynchronous calls, created when it is first needed."""
        return self._cache.pair(self).asynchronous

    def close(self) -> None:
        """Close the idle connections of blocking calls; the model can be used again."""
        self._cache.close()

    async def aclose(self) -> None:
        """Close the idle connections of blocking calls and those of this event loop; the model can be used again."""
        await self._cache.aclose()

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

    # Requests

    def _build_request(
        self,
        fields: dict[str, Any],
        messages: list[dict[str, Any]],
        tools: Sequence[dict[str, Any]] | None,
        *,
        stream: bool,
    ) -> ChatRequest:
        """Build the request of one call.

        Args:
            fields: The fields of `CallSettings`; they are kept and changed.
            messages: Wire messages.
            tools: Wire tools.
            stream: Ask for a stream.

        Raises:
            ConfigurationError: A field cannot have its value; the message does not show it.
        """
        if not tools and "parallel_tool_calls" in fields:
            fields["parallel_tool_calls"] = None  # without tools, servers refuse it
        if stream and (fields.get("n") or 1) > 1:
            raise ConfigurationError(
                "n > 1 cannot be streamed: a stream has one answer; call a method that does not stream"
            )
        fields["stream"] = stream
        fields.setdefault("check_arguments", False)  # the frameworks' tools validate them, and tell the model
        return self._cache.requests.build(fields, messages, list(tools) if tools else None)

    # Copies

    def __getstate__(self) -> dict[Any, Any]:
        """Leave out what cannot leave the process."""
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], **dict.fromkeys(HTTP_CLIENTS)}}

    def __copy__(self) -> Self:
        copied = super().__copy__()
        copied._clients = copy(self._clients)  # noqa: SLF001 - the copy's own: with other settings it has another server
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Copy, and share the HTTP clients of the caller."""
        memo = {} if memo is None else memo
        memo.update({id(shared): shared for name in HTTP_CLIENTS if (shared := getattr(self, name)) is not None})
        return super().__deepcopy__(memo)
