"""The clients of one model object: made when first needed, made anew when its settings change, never serialised."""

import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from operator import itemgetter
from typing import Any

import vllm_connect  # its clients are loaded when one is made
from vllm_connect import VllmConfig

__all__ = ["SETTINGS", "Clients", "abriefly", "briefly"]

SETTINGS = tuple(VllmConfig.model_fields)
HTTP_CLIENTS = ("http_client", "http_async_client")
"""Fields of a model that hold an HTTP client that the caller made."""

_settings_of = itemgetter(*SETTINGS, *HTTP_CLIENTS)


class Pair:
    """A blocking and an asynchronous client that share what they learn of the server.

    Args:
        settings: The values of `SETTINGS` and of `HTTP_CLIENTS`.

    Attributes:
        settings: The same.
        blocking: The client for blocking calls.
        asynchronous: The client for asynchronous calls.
    """

    def __init__(self, settings: tuple[Any, ...]) -> None:
        *values, http_client, http_async_client = settings
        config = VllmConfig.model_construct(None, **dict(zip(SETTINGS, values, strict=True)))
        endpoints = vllm_connect.Endpoints(config)
        self.settings = settings
        self.blocking = vllm_connect.VllmClient(config, http_client=http_client, endpoints=endpoints)
        self.asynchronous = vllm_connect.AsyncVllmClient(config, http_client=http_async_client, endpoints=endpoints)


class Clients:
    """The clients of one model object; threads that come first at once get the same.

    Args:
        blocking: A client to use in place of our own; it is never closed.
        asynchronous: The same.

    Attributes:
        requests: Makes the requests.
    """

    def __init__(self, blocking: Any = None, asynchronous: Any = None) -> None:
        self._given = (blocking, asynchronous)
        self._pair: Pair | None = None
        self._lock = threading.Lock()
        self.requests = vllm_connect.RequestCache()

    def blocking(self, model: VllmConfig) -> "vllm_connect.VllmClient":
        """Give the blocking client of a model."""
        return self._given[0] or self._current(model).blocking

    def asynchronous(self, model: VllmConfig) -> "vllm_connect.AsyncVllmClient":
        """Give the asynchronous client of a model."""
        return self._given[1] or self._current(model).asynchronous

    def _current(self, model: VllmConfig) -> Pair:
        settings = _settings_of(model.__dict__)
        pair = self._pair
        if pair is not None and pair.settings == settings:
            return pair
        with self._lock:
            if self._pair is None or self._pair.settings != settings:
                self._pair = Pair(settings)  # what the other holds is closed with it, when nobody uses it any more
            return self._pair

    def close(self) -> None:
        """Close idle connections of our own blocking client."""
        if self._pair is not None:
            self._pair.blocking.close()

    async def aclose(self) -> None:
        """Close idle connections of our own clients."""
        if (pair := self._pair) is not None:
            pair.blocking.close()
            await pair.asynchronous.aclose()

    def __eq__(self, other: object) -> bool:
        """Differ only by the clients that were given: ours make no difference between models."""
        return isinstance(other, Clients) and self._given == other._given

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __copy__(self) -> "Clients":
        """Copy: all are shared until the copy is set to something else."""
        made = Clients(*self._given)
        made._pair = self._pair
        return made

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
