"""The clients of one model object.

Clients are created at the first call and replaced when a setting has changed: after `model.base_url = "http://gpu-2:8000"`
the next call reaches the other server. A copy of the model shares them until it is set to something else; a deep copy or
a pickle starts without them. A client that the caller passed in serves every copy, and is never closed nor pickled.
"""

import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from operator import itemgetter
from typing import Any

import vllm_connect  # its clients are loaded when one is created
from vllm_connect.adapters.hidden import reveal
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConfigurationError
from vllm_connect.request.cache import RequestCache

__all__ = ["HTTP_CLIENTS", "ClientCache", "ClientPair"]

HTTP_CLIENTS = ("http_client", "http_async_client")
"""Fields of a model for HTTP clients of the caller."""

_settings_of = itemgetter(*VllmConfig.model_fields, *HTTP_CLIENTS)


class ClientPair:
    """A blocking and an asynchronous client with the same settings, which share what they learn of the server.

    Args:
        settings: The settings, and the HTTP clients of the caller.
        given: Clients to use in place of new ones.

    Attributes:
        settings: The same.
        blocking: The client for blocking calls.
        asynchronous: The client for asynchronous calls.
        info: What is known of the server; None before it was asked.
        info_wanted: Whether `info` was read where the server could not be asked, in a running event loop.
    """

    def __init__(self, settings: tuple[Any, ...], given: tuple[Any, Any]) -> None:
        from vllm_connect.chat.endpoints import Endpoints  # noqa: PLC0415 - loaded when a client is created

        *values, http_client, http_async_client = settings
        config = VllmConfig.model_construct(None, **dict(zip(VllmConfig.model_fields, values, strict=True)))
        endpoints = Endpoints(config)
        self.settings = settings
        self.blocking: vllm_connect.VllmClient = given[0] or vllm_connect.VllmClient(
            config, http_client=http_client, endpoints=endpoints
        )
        self.asynchronous: vllm_connect.AsyncVllmClient = given[1] or vllm_connect.AsyncVllmClient(
            config, http_client=http_async_client, endpoints=endpoints
        )
        self.info: vllm_connect.ServerInfo | None = None
        self.info_wanted = False


class ClientCache:
    """The clients of one model object; threads that need them first at the same time get the same.

    Args:
        client: A client of the caller, for blocking calls.
        async_client: A client of the caller, for asynchronous calls.

    Raises:
        ConfigurationError: What was given is not a client.

    Attributes:
        current: The clients that were used last; None before the first call.
        requests: Builds the model's requests.
    """

    def __init__(self, client: Any = None, async_client: Any = None) -> None:
        for given, name, kind in ((client, "client", "VllmClient"), (async_client, "async_client", "AsyncVllmClient")):
            if given is not None and not callable(getattr(given, "stream", None)):
                raise ConfigurationError(f"{name} must be an instance of vllm_connect.{kind}")
        self._given = (client, async_client)
        self._lock = threading.Lock()
        self.current: ClientPair | None = None
        self.requests = RequestCache()

    def pair(self, model: VllmConfig) -> ClientPair:
        """Return the clients of a model, which are created if there are none with its settings.

        Args:
            model: The model; it has the fields in `HTTP_CLIENTS`, too.
        """
        settings = _settings_of(model.__dict__)
        pair = self.current
        if pair is not None and pair.settings == settings:
            return pair
        with self._lock:
            if self.current is None or self.current.settings != settings:
                self.current = ClientPair(
                    settings, self._given
                )  # the other's connections are closed with the last user
            return self.current

    def blocking(
        self, model: VllmConfig, connection: Mapping[str, Any]
    ) -> "AbstractContextManager[vllm_connect.VllmClient]":
        """Return the client for one blocking call, as a context.

        Args:
            model: The model.
            connection: The settings that this call alone has. With any, the client is closed when the context ends.

        Raises:
            ConfigurationError: There are such settings, and a client of the caller, whose settings are its own.
        """
        if not connection:
            return nullcontext(self.pair(model).blocking)
        return _client(self._config_for_call(model, connection, 0), model.__dict__[HTTP_CLIENTS[0]])

    def asynchronous(
        self, model: VllmConfig, connection: Mapping[str, Any]
    ) -> "AbstractAsyncContextManager[vllm_connect.AsyncVllmClient]":
        """Return the client for one asynchronous call, as a context; see `blocking`."""
        if not connection:
            return nullcontext(self.pair(model).asynchronous)
        return _async_client(self._config_for_call(model, connection, 1), model.__dict__[HTTP_CLIENTS[1]])

    def _config_for_call(self, model: VllmConfig, connection: Mapping[str, Any], which: int) -> VllmConfig:
        if self._given[which] is not None:
            raise ConfigurationError(
                f"{', '.join(sorted(connection))} cannot be set for one call of a model with a client of its own: "
                "configure that client"
            )
        settings = {**{name: getattr(model, name) for name in VllmConfig.model_fields}, **connection}
        return VllmConfig(**_present(settings))

    def close(self) -> None:
        """Close idle connections of the blocking client, unless it is the caller's."""
        if self.current is not None and self._given[0] is None:
            self.current.blocking.close()

    async def aclose(self) -> None:
        """Close idle connections of both clients, unless they are the caller's."""
        pair = self.current
        self.close()
        if pair is not None and self._given[1] is None:
            await pair.asynchronous.aclose()

    def __eq__(self, other: object) -> bool:
        """Compare the caller's clients; those that were created here make no difference between models."""
        return isinstance(other, ClientCache) and self._given == other._given

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __copy__(self) -> "ClientCache":
        """Copy; the clients are shared until the copy's model is set to something else."""
        copied = ClientCache(*self._given)
        copied.current = self.current
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> "ClientCache":
        """Copy without the clients that were created here."""
        return ClientCache(*self._given)

    def __reduce__(self) -> tuple[type["ClientCache"], tuple[()]]:
        """Pickle no client."""
        return ClientCache, ()


def _present(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not None, revealed."""
    return {name: value for name, hidden in settings.items() if (value := reveal(hidden)) is not None}


@contextmanager
def _client(config: VllmConfig, http_client: object | None) -> "Generator[vllm_connect.VllmClient, None, None]":
    with vllm_connect.VllmClient(config, http_client=http_client) as client:
        yield client


@asynccontextmanager
async def _async_client(
    config: VllmConfig, http_client: object | None
) -> "AsyncGenerator[vllm_connect.AsyncVllmClient, None]":
    async with vllm_connect.AsyncVllmClient(config, http_client=http_client) as client:
        yield client
