"""Where the server is and how to talk to it.

An explicit argument comes before the environment, the environment before the default:

```
VLLM_BASE_URL=http://gpu-1:8000/v1  VLLM_API_KEY=…  VLLM_MODEL=…  VLLM_TIMEOUT=60  VLLM_MAX_RETRIES=2
```

The environment is read when a configuration is created, never at import, and `OPENAI_API_KEY` is never read.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from vllm_connect.config.environment import environment, read_count, read_number
from vllm_connect.config.headers import basic, header_name, header_value
from vllm_connect.config.urls import DEFAULT_BASE_URL, split_base_url, split_proxy
from vllm_connect.config.validation import configuration_error, refuse_unknown
from vllm_connect.errors import ConfigurationError

__all__ = [
    "SHORTEST_SECRET",
    "Timeouts",
    "VllmConfig",
    "api_key_of",
    "argument_names",
    "authorization",
    "headers_of",
    "scrub",
    "secrets_of",
    "timeouts_of",
]

NONE_IS_ABSENT = frozenset({"api_key", "base_url", "headers", "max_retries", "timeout", "user_agent"})
"""Arguments for which None means what leaving them out means."""

SECRETS = ("api_key", "basic_auth", "headers", "proxy_auth")
"""Fields that hold secrets; no dump and no pickle has them."""

MASK = "[secret]"

HEADERS_EXPECTED = "headers must be a mapping of names to strings, or to functions that return them"

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Transport: TypeAlias = Literal["auto", "httpx"]
TRANSPORTS: dict[str, Transport] = {"auto": "auto", "httpx": "httpx"}


# Values


def _revealed(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _api_key(value: object) -> object:
    """Check and strip a key; a function is called for each request instead."""
    value = _revealed(value)
    if isinstance(value, str):
        key = header_value(value, "api_key")
        return SecretStr(key) if key else None
    if value is not None and not callable(value):
        raise ConfigurationError("api_key must be a string, or a function that returns one")
    return value


def _headers(value: object) -> dict[str, SecretStr | Callable[[], str]]:
    """Check names and values; a function is called for each request instead."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(HEADERS_EXPECTED)
    headers: dict[str, SecretStr | Callable[[], str]] = {}
    for name, secret in value.items():
        text = _revealed(secret)
        if isinstance(name, str) and isinstance(text, str):
            headers[header_name(name)] = SecretStr(header_value(text, f"header {name!r}"))
        elif isinstance(name, str) and callable(text):
            headers[header_name(name)] = text
        else:
            raise ConfigurationError(HEADERS_EXPECTED)
    return headers


def _auth(value: object) -> object:
    value = _revealed(value)
    return SecretStr(value) if isinstance(value, str) and value else value or None


def _user_agent(value: str | None) -> str | None:
    return header_value(value, "user_agent") if value else None


# Settings


class Timeouts(BaseModel):
    """How long to wait, in seconds, by phase; None waits without limit.

    A plain number stands for `first_token` and `stall`, and caps the others: `timeout=60` never waits longer
    than 60 s for progress, and a stream that makes progress is not ended. Set `total` to end it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    connect: Seconds | None = 5.0
    """To reach the server: name, TCP, TLS, proxy."""
    pool: Seconds | None = 600.0
    """For a free connection where `max_connections` are in use; as long as `first_token` unless it is given."""
    write: Seconds | None = 30.0
    """To send the request."""
    first_token: Seconds | None = 600.0
    """From the request to the first data of the answer; without a stream, to the whole answer's headers."""
    stall: Seconds | None = 120.0
    """From one piece of data to the next; keep-alive comments are not data.

    A stream that the caller holds and does not read ends by it too: its connection is closed, so that the server stops;
    without an event loop, as soon as another call needs a connection."""
    total: Seconds | None = None
    """For the whole call, retries and their delays included."""

    @model_validator(mode="before")
    @classmethod
    def _wait_for_a_connection(cls, given: Any) -> Any:
        """Wait for a connection as long as for the first data."""
        if isinstance(given, Mapping) and "first_token" in given:
            return {"pool": given["first_token"], **given}
        return given

    @classmethod
    def of(cls, seconds: float) -> "Timeouts":
        """Build the timeouts that a plain number stands for."""
        short = {name: min(seconds, cls.model_fields[name].default) for name in ("connect", "write")}
        return cls(first_token=seconds, stall=seconds, **short)


def _timeouts(value: object) -> Timeouts:
    if isinstance(value, Timeouts):
        return value
    if isinstance(value, Mapping):
        refuse_unknown((str(name) for name in value), Timeouts.model_fields)
        return Timeouts(**value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < math.inf:
            raise ConfigurationError("timeout must be a number of seconds above 0")
        return Timeouts.of(float(value))
    raise ConfigurationError("timeout must be a number of seconds, a mapping or a Timeouts")


def _environment_timeout(text: str) -> Timeouts:
    seconds = read_number(text)
    if not seconds:
        raise ValueError("expected a number of seconds above 0")
    return Timeouts.of(seconds)


class VllmConfig(BaseModel):
    """Where the server is and how to talk to it.

    Secrets are left out of dumps and pickles. After unpickling, the key is read from `VLLM_API_KEY` again, if
    that is set, and other secrets have to be passed again; copies in the same process keep them.

    Raises:
        ConfigurationError: A setting, or a variable of the environment, is wrong; no message has its value.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str = DEFAULT_BASE_URL
    """The server's address, `http://host:8000`, with or without `/v1` or an endpoint after it.

    From `VLLM_BASE_URL`. A user name and password in it become `basic_auth`."""
    api_key: Annotated[SecretStr | str | SkipJsonSchema[Callable[[], str]] | None, BeforeValidator(_api_key)] = Field(
        default_factory=lambda: environment("VLLM_API_KEY", _environment_key, None), exclude=True
    )
    """The key, or a function that returns it, called for each request. From `VLLM_API_KEY`; "" is no key."""
    basic_auth: Annotated[SecretStr | None, BeforeValidator(_auth)] = Field(default=None, exclude=True)
    """`user:password` for a server behind basic authentication; a key comes before it."""
    headers: Annotated[Mapping[str, SecretStr | str | SkipJsonSchema[Callable[[], str]]], BeforeValidator(_headers)] = (
        Field(default_factory=dict, exclude=True)
    )
    """More headers for every request, or functions that return them for each; their values are treated as secrets."""
    user_agent: Annotated[str | None, AfterValidator(_user_agent)] = None
    """The User-Agent header, None for this package's name and version."""

    timeout: Annotated[Timeouts | float | Mapping[str, float | None], BeforeValidator(_timeouts)] = Field(
        default_factory=lambda: environment("VLLM_TIMEOUT", _environment_timeout, Timeouts())
    )
    """How long to wait: a `Timeouts`, its fields as a mapping, or a number of seconds. From `VLLM_TIMEOUT`."""
    max_retries: int = Field(default_factory=lambda: environment("VLLM_MAX_RETRIES", read_count, 2), ge=0)
    """How often a request is retried, at most; one that the server refuses (429, 503), three times as often. From `VLLM_MAX_RETRIES`."""
    retry_delay: Seconds = 0.5
    """Upper bound of the first random delay, in seconds; each further one doubles it."""
    max_retry_delay: Seconds = 8.0
    """Upper bound of every random delay, in seconds."""
    max_retry_after: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    """The longest wait that a server may ask for, in seconds; if it asks for more, there is no retry."""
    retry_timeouts: bool = False
    """Also retry after a timeout of a request that the server has; it may still be processing it."""

    verify: bool | str = True
    """Verify the server's certificate; a path names a file or folder of CA certificates."""
    client_cert: str | tuple[str, str] | None = None
    """Path of a client certificate with its key, or the paths of both."""
    proxy: str | None = None
    """A proxy, `http://host:3128`, or at `https://`, `socks5://`, `socks5h://`; this machine is reached without one."""
    proxy_auth: Annotated[SecretStr | None, BeforeValidator(_auth)] = Field(default=None, exclude=True)
    """`user:password` for the proxy."""
    trust_env: bool = True
    """Use the environment's proxies (`HTTP_PROXY`, `NO_PROXY`, …) and certificates (`SSL_CERT_FILE`, …)."""
    transport: Transport = Field(
        default_factory=lambda: environment("VLLM_TRANSPORT", _environment_transport, TRANSPORTS["auto"])
    )
    """`httpx` sends all requests through httpx, so that its mocks, recorders and tracers see them. From `VLLM_TRANSPORT`.

    By default direct connections are our own, and proxies are reached through httpx."""
    max_connections: int = Field(default=256, ge=1)
    """How many connections are open at most; further calls wait for one, as long as `timeout.pool`."""
    keepalive_expiry: float = Field(default=4.0, ge=0, allow_inf_nan=False)
    """How long an idle connection is kept, in seconds; vLLM closes it after 5."""

    streaming_allowed: bool = True
    """False refuses streams, for gateways that cannot pass them on."""
    coalesce: bool = True
    """Join events that arrive together into one chunk, which delays none of them; False makes every event a chunk."""

    if not TYPE_CHECKING:  # for a type checker the fields are the signature

        def __init__(self, **given: Any) -> None:
            problem = None
            try:
                if type(self).model_config.get("extra") != "allow":
                    refuse_unknown(given, argument_names(type(self)))
                super().__init__(**_resolve_arguments(given))
            except ValidationError as error:
                problem = configuration_error(error)
            except ConfigurationError as error:
                problem = ConfigurationError(error.message)
            if problem is not None:
                given.clear()  # tracebacks, and what reports them, show the variables of a frame
                raise problem

    def __getstate__(self) -> dict[Any, Any]:
        """Return the state without secrets; a function that returns the key is not a secret."""
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        for name in SECRETS:
            if not callable(fields.get(name)):
                fields.pop(name, None)
        return {**state, "__dict__": fields}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Add what the pickle lacks: the key of this environment, and no other secrets."""
        lacking = {name: VllmConfig.model_fields[name].get_default(call_default_factory=True) for name in SECRETS}
        super().__setstate__({**state, "__dict__": {**lacking, **state["__dict__"]}})


def _environment_key(text: str) -> SecretStr:
    try:
        return SecretStr(header_value(text, "the key"))
    except ConfigurationError as error:
        raise ValueError(error.message) from None


@lru_cache
def argument_names(model: type[BaseModel]) -> frozenset[str]:
    """List what a model's constructor takes: its fields and their aliases."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        if field.alias:
            names.add(field.alias)
        if isinstance(field.validation_alias, str):
            names.add(field.validation_alias)
        else:
            names.update(str(path[0]) for path in _paths(field.validation_alias))
    return frozenset(names)


def _paths(alias: Any) -> list[list[str | int]]:
    return [] if alias is None else alias.convert_to_aliases()


def _resolve_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what counts as absent, and split credentials off URLs."""
    fields = {name: value for name, value in given.items() if value is not None or name not in NONE_IS_ABSENT}
    if "base_url" not in fields:
        unset: tuple[str, SecretStr | None] = (DEFAULT_BASE_URL, None)
        url, auth = environment("VLLM_BASE_URL", _environment_url, unset)
    elif isinstance(fields["base_url"], str):
        url, auth = split_base_url(fields["base_url"])
    else:
        return fields
    fields["base_url"] = url
    if auth:
        fields.setdefault("basic_auth", auth)
    if isinstance(fields.get("proxy"), str):
        fields["proxy"], auth = split_proxy(fields["proxy"])
        if auth:
            fields.setdefault("proxy_auth", auth)
    return fields


def _environment_transport(text: str) -> Transport:
    if text not in TRANSPORTS:
        raise ValueError(f"expected {' or '.join(TRANSPORTS)}")
    return TRANSPORTS[text]


def _environment_url(text: str) -> tuple[str, SecretStr | None]:
    try:
        return split_base_url(text)
    except ConfigurationError as error:
        raise ValueError(error.message) from None


# For the transports


def timeouts_of(config: VllmConfig) -> Timeouts:
    """Return a configuration's timeouts."""
    return _timeouts(config.timeout)


def api_key_of(config: VllmConfig) -> str | None:
    """Return the key for one request, calling the function that returns it, if it is one.

    Raises:
        ConfigurationError: The function returned no usable key.
    """
    key = config.api_key
    if callable(key) and not isinstance(key, SecretStr | str):
        key = key()
        if not isinstance(key, str | SecretStr):
            raise ConfigurationError("the function given as api_key must return a string")
    checked = _revealed(_api_key(key))
    return checked if isinstance(checked, str) else None


def headers_of(config: VllmConfig) -> dict[str, str]:
    """Return the headers for one request, their names in lower case, calling the functions among them.

    Raises:
        ConfigurationError: A function returned no usable value.
    """
    headers = {}
    for name, value in config.headers.items():
        text = value() if callable(value) else _revealed(value)
        if not isinstance(text, str):
            raise ConfigurationError(f"the function given as header {name!r} must return a string")
        headers[name.lower()] = header_value(text, f"header {name!r}")
    return headers


def authorization(config: VllmConfig) -> str | None:
    """Return the Authorization header of one request: bearer for a key, else basic, else None."""
    key = api_key_of(config)
    if key:
        return f"Bearer {key}"
    if config.basic_auth:
        return basic(config.basic_auth)
    return None


def secrets_of(config: VllmConfig) -> tuple[str, ...]:
    """List the texts that must not be shown: keys, header values and passwords, the longest first."""
    found = [api_key_of(config) or ""]
    found.extend(headers_of(config).values())
    for auth in (config.basic_auth, config.proxy_auth):
        if auth:
            found += [auth.get_secret_value(), auth.get_secret_value().partition(":")[2], basic(auth)[6:]]
    return tuple(sorted({text for text in found if len(text) >= SHORTEST_SECRET}, key=len, reverse=True))


SHORTEST_SECRET = 4
"""Shorter values, such as a header's `1`, would only garble the text."""


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets that a server or a library repeats in its text."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
