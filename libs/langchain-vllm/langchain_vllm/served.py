"""A `ChatVllm` and its server: the clients, what the server tells of its model, and tokens as the server counts them."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import Any

import vllm_connect  # its clients are loaded when one is made
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import BaseMessage, convert_to_messages, get_buffer_string
from pydantic import PrivateAttr
from typing_extensions import Self, override
from vllm_connect import ChatRequest
from vllm_connect import ConfigurationError as CoreConfigurationError
from vllm_connect import VllmError as CoreError

from langchain_vllm.clients import abriefly, briefly
from langchain_vllm.errors import model_errors
from langchain_vllm.settings import SETTING_NAMES, ModelSettings
from langchain_vllm.tokens import TokenCounts, estimate, key_of
from langchain_vllm.tools import Tool, to_wire_tools

__all__ = ["ServedModel"]

logger = logging.getLogger(__name__)


class ServedModel(ModelSettings):
    """The part of a `ChatVllm` that talks of its server."""

    _counts: TokenCounts = PrivateAttr(default_factory=TokenCounts)

    # Clients

    @property
    def client(self) -> "vllm_connect.VllmClient":
        """The blocking client, made when first asked for."""
        return self._held.blocking(self)

    @property
    def async_client(self) -> "vllm_connect.AsyncVllmClient":
        """The asynchronous client, made when first asked for."""
        return self._held.asynchronous(self)

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

    def _client_for(self, given: Mapping[str, Any]) -> Any:
        """Open the client for a call, another one where the call changes settings."""
        if given.keys().isdisjoint(SETTING_NAMES):
            return nullcontext(self.client)
        settings = {name: given[name] for name in given.keys() & SETTING_NAMES}
        return briefly(self, settings, self.http_client)

    def _async_client_for(self, given: Mapping[str, Any]) -> Any:
        """Open the asynchronous client for a call."""
        if given.keys().isdisjoint(SETTING_NAMES):
            return nullcontext(self.async_client)
        settings = {name: given[name] for name in given.keys() & SETTING_NAMES}
        return abriefly(self, settings, self.http_async_client)

    # The model's profile

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

    def refresh_profile(self) -> ModelProfile:
        """Ask the server for the context window and put it into `profile`.

        Returns:
            The profile; without `max_input_tokens` where the server does not tell.
        """
        with model_errors:
            return self._learn(self.client.server_info(refresh=True))

    async def arefresh_profile(self) -> ModelProfile:
        """Ask the server for the context window; see `refresh_profile`."""
        with model_errors:
            return self._learn(await self.async_client.server_info(refresh=True))

    def _learn(self, info: "vllm_connect.ServerInfo") -> ModelProfile:
        window = info.context_window(self.model)
        profile = self.profile or ModelProfile()
        self.profile = profile if window is None else {**profile, "max_input_tokens": window}
        return self.profile

    # Counting tokens

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """Turn a text into token ids with the server's tokenizer."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        with model_errors:
            return self.client.tokenize(text, model=self.model)

    async def aget_token_ids(self, text: str) -> list[int]:
        """Turn a text into token ids; the asynchronous form of `get_token_ids`."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        with model_errors:
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
        with model_errors:
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
        with model_errors:
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
