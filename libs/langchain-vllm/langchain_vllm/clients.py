"""The clients of one model object: made when first needed, made anew when its settings change, never serialised."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import vllm_connect  # its clients are loaded when one is made
from vllm_connect import VllmConfig

__all__ = ["Clients"]

SETTINGS = tuple(VllmConfig.model_fields)


class Clients:
    """A blocking and an asynchronous client that share what they learn of the server.

    Args:
        blocking: A client to use in place of our own; it is never closed.
        asynchronous: The same.
    """

    def __init__(self, blocking: Any = None, asynchronous: Any = None) -> None:
        self._given = (blocking, asynchronous)
        self._settings: list[Any] | None = None
        self._config = VllmConfig.model_construct()
        self._calls: vllm_connect.Calls | None = None
        self._blocking: vllm_connect.VllmClient | None = None
        self._asynchronous: vllm_connect.AsyncVllmClient | None = None

    def blocking(self, config: VllmConfig, http_client: object | None) -> "vllm_connect.VllmClient":
        """Give the blocking client of a configuration."""
        if self._given[0] is not None:
            return self._given[0]  # type: ignore[no-any-return]  # a stand-in has the same methods
        calls = self._current(config)
        if self._blocking is None:
            self._blocking = vllm_connect.VllmClient(self._config, http_client=http_client, calls=calls)
        return self._blocking

    def asynchronous(self, config: VllmConfig, http_client: object | None) -> "vllm_connect.AsyncVllmClient":
        """Give the asynchronous client of a configuration."""
        if self._given[1] is not None:
            return self._given[1]  # type: ignore[no-any-return]  # a stand-in has the same methods
        calls = self._current(config)
        if self._asynchronous is None:
            self._asynchronous = vllm_connect.AsyncVllmClient(self._config, http_client=http_client, calls=calls)
        return self._asynchronous

    def _current(self, config: VllmConfig) -> "vllm_connect.Calls":
        fields = config.__dict__
        settings: list[Any] = [*map(fields.get, SETTINGS)]
        if self._calls is None or settings != self._settings:
            self.close()
            self._blocking = self._asynchronous = None
            self._settings = settings
            self._config = VllmConfig.model_construct(None, **dict(zip(SETTINGS, settings, strict=True)))
            self._calls = vllm_connect.Calls(self._config)
        return self._calls

    def close(self) -> None:
        """Close idle connections of our own blocking client."""
        if self._blocking is not None:
            self._blocking.close()

    async def aclose(self) -> None:
        """Close idle connections of our own clients."""
        self.close()
        if self._asynchronous is not None:
            await self._asynchronous.aclose()

    def __eq__(self, other: object) -> bool:
        """Differ only by the clients that were given: ours make no difference between models."""
        return isinstance(other, Clients) and self._given == other._given

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __deepcopy__(self, memo: dict[int, Any]) -> "Clients":
        """Copy: clients that were given are shared, ours are made again."""
        return Clients(*self._given)

    def __reduce__(self) -> tuple[type["Clients"], tuple[()]]:
        """Pickle nothing."""
        return Clients, ()


@contextmanager
def briefly(
    config: VllmConfig, settings: Mapping[str, Any], http_client: object | None
) -> "Iterator[vllm_connect.VllmClient]":
    """Open a client for one call with other settings."""
    with vllm_connect.VllmClient(changed(config, settings), http_client=http_client) as client:
        yield client


@asynccontextmanager
async def abriefly(
    config: VllmConfig, settings: Mapping[str, Any], http_client: object | None
) -> "AsyncIterator[vllm_connect.AsyncVllmClient]":
    """Open a client for one call with other settings; the asynchronous form of `briefly`."""
    async with vllm_connect.AsyncVllmClient(changed(config, settings), http_client=http_client) as client:
        yield client


def changed(config: VllmConfig, settings: Mapping[str, Any]) -> VllmConfig:
    """Lay settings over those of a configuration; None takes one away."""
    fields = {name: getattr(config, name) for name in SETTINGS}
    return VllmConfig(**{name: value for name, value in {**fields, **settings}.items() if value is not None})
