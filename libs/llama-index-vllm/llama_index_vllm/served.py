"""A `VllmLLM` and its server: what the server tells of its model, tokens as the server counts them, connections."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import vllm_connect  # what only some calls need is loaded by them
from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from typing_extensions import Self, override

from llama_index_vllm.clients import Pair
from llama_index_vllm.metadata import ServedMetadata
from llama_index_vllm.settings import ModelSettings

__all__ = ["ServedModel"]


class ServedModel(ModelSettings):
    """The part of a `VllmLLM` that talks of its server."""

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


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
