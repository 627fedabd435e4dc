"""The clients of one model object.

They are made at the first call, and made anew when a setting has changed: `llm.base_url = "http://gpu-2:8000"` reaches
the other server. A copy shares them until it is set to something else; a deep copy or a pickle starts without them.
"""

import threading
from operator import itemgetter
from typing import Any

import vllm_connect  # its clients are loaded when one is made
from vllm_connect import VllmConfig

__all__ = ["GIVEN", "Clients", "Pair"]

GIVEN = ("client", "async_client", "http_client", "async_http_client")
"""Fields of a model that hold what the caller made; copies share it."""

FIELDS = (*VllmConfig.model_fields, *GIVEN)
_settings_of = itemgetter(*FIELDS)


class Pair:
    """A blocking and an asynchronous client of one server, and what is known of it.

    Args:
        settings: The fields of the configuration, valid, and those in `GIVEN`, each None where it is to be made here.

    Attributes:
        blocking: The client for blocking calls.
        asynchronous: The client for asynchronous calls.
        info: What is known of the server, None before it was asked.
        window_wanted: Somebody wanted to know the context window where waiting was not possible.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        config = VllmConfig.model_construct(**{name: settings[name] for name in VllmConfig.model_fields})
        endpoints = vllm_connect.Endpoints(config)
        self.blocking: vllm_connect.VllmClient = settings["client"] or vllm_connect.VllmClient(
            config, http_client=settings["http_client"], endpoints=endpoints
        )
        self.asynchronous: vllm_connect.AsyncVllmClient = settings["async_client"] or vllm_connect.AsyncVllmClient(
            config, http_client=settings["async_http_client"], endpoints=endpoints
        )
        self.info: vllm_connect.ServerInfo | None = None
        self.window_wanted = False


class Clients:
    """Holds the pair that fits the settings; threads that come first at once get the same.

    Attributes:
        requests: Makes the requests of the model.
    """

    def __init__(self) -> None:
        self._made: tuple[tuple[Any, ...], Pair] | None = None
        self._lock = threading.Lock()
        self.requests = vllm_connect.RequestCache()

    def of(self, model: VllmConfig) -> Pair:
        """Return the clients of a model, which are made if there are none with its settings.

        Args:
            model: The model; it has the fields in `GIVEN`, too.
        """
        settings = _settings_of(model.__dict__)
        made = self._made
        if made is not None and made[0] == settings:
            return made[1]
        with self._lock:
            if self._made is None or self._made[0] != settings:
                self._made = (settings, Pair(dict(zip(FIELDS, settings, strict=True))))
            return self._made[1]

    def made(self) -> Pair | None:
        """Return the clients if there are any."""
        return self._made[1] if self._made else None

    def __copy__(self) -> "Clients":
        """Copy: the pair is shared until the copy is set to something else."""
        made = Clients()
        made._made = self._made
        return made

    def __deepcopy__(self, memo: object) -> "Clients":
        return Clients()

    def __reduce__(self) -> tuple[type["Clients"], tuple[()]]:
        return Clients, ()
