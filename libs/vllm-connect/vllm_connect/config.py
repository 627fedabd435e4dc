"""Where the server is and how to talk to it.

An explicit argument comes before the environment, the environment before the default:

```
VLLM_BASE_URL=http://gpu-1:8000/v1  VLLM_API_KEY=…  VLLM_MODEL=…  VLLM_TIMEOUT=60  VLLM_MAX_RETRIES=2
```

The environment is read when a configuration is made, never at import, and `OPENAI_API_KEY` is never read.
"""

import difflib
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.json_schema import SkipJsonSchema

from vllm_connect.errors import ConfigurationError

__all__ = [
    "DEFAULT_BASE_URL",
    "Timeouts",
    "VllmConfig",
    "api_key_of",
    "authorization",
    "basic",
    "configuration_error",
    "environment",
    "header_value",
    "nearest",
    "read_count",
    "read_number",
    "refuse_unknown",
    "scrub",
    "secrets_of",
    "timeouts_of",
]

DEFAULT_BASE_URL = "http://localhost:8000"

KNOWN_PATHS = ("/chat/completions", "/completions", "/models", "/v1")
"""Ends of a URL that are dropped, in this order: users paste the address of an endpoint."""

FRAMING_HEADERS = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that say where a message ends; a wrong one mixes up answers."""

TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What the name of a header is made of (RFC 9110, 5.6.2)."""

NONE_IS_ABSENT = frozenset({"api_key", "base_url", "headers", "max_retries", "timeout", "user_agent"})
"""Arguments for which None means what leaving them out means."""

SECRETS = ("api_key", "basic_auth", "headers", "proxy_auth")
"""Fields that hold secrets; no dump and no pickle has them."""

MASK = "[secret]"

T = TypeVar("T")
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


# Arguments and their errors


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the name that was probably meant.

    Args:
        name: The name given.
        known: The names there are.

    Returns:
        The most similar one, None if none is similar.
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse arguments that would otherwise vanish.

    Args:
        given: Names of the arguments given.
        known: Names that are accepted.

    Raises:
        ConfigurationError: A name is not known; the message has the one that was probably meant.
    """
    accepted = set(known)
    for name in given:
        if name not in accepted:
            meant = nearest(name, accepted)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise ConfigurationError(f"unknown argument {name!r}{hint}")


def configuration_error(error: ValidationError) -> ConfigurationError:
    """Say what a validation error says, without any value that was given.

    Raise the result outside of the `except` block: a chained exception would still hold the values.

    Args:
        error: Pydantic's error.

    Returns:
        One error whose message has a line for each problem.
    """
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {what}" if where and not what.startswith(where) else what)
    return ConfigurationError("\n".join(lines))


def environment(variable: str, read: Callable[[str], T], default: T) -> T:
    """Read a setting from the environment.

    Args:
        variable: The variable's name; an empty variable counts as unset.
        read: Turns its text, stripped, into the value; raises ValueError, whose message says what it expects.
        default: The value where it is unset.

    Returns:
        The value.

    Raises:
        ConfigurationError: The text is malformed; the message names the variable, not the text.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        return read(text)
    except ValueError as error:
        problem = str(error)
    raise ConfigurationError(f"the environment variable {variable} is malformed: {problem}")


def read_number(text: str) -> float:
    """Read a finite number of at least 0.

    Raises:
        ValueError: It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError("expected a number of at least 0")
    return value


def read_count(text: str) -> int:
    """Read a whole number of at least 0.

    Raises:
        ValueError: It is none.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError("expected a whole number of at least 0")
    return int(text)


# Values that a header can carry


def header_value(text: str, what: str) -> str:
    """Strip a header's value, and refuse what no header can carry.

    Args:
        text: The value.
        what: What it is, for the message.

    Returns:
        The stripped value.

    Raises:
        ConfigurationError: It has control or non-ASCII characters; the message does not show it.
    """
    text = text.strip()
    if text.isascii() and text.isprintable():
        return text
    for position, character in enumerate(text):
        if not " " <= character <= "~":
            kind = "a control character" if ord(character) < 0x20 or character == "\x7f" else "a non-ASCII character"  # noqa: PLR2004 - the last of the C0 controls
            raise ConfigurationError(
                f"{what} has {kind} at position {position} (the value is not shown): is it the right variable or file?"
            )
    return text


def _revealed(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _api_key(value: object) -> object:
    """Strip and check a key; a function is called for each request instead."""
    value = _revealed(value)
    if isinstance(value, str):
        key = header_value(value, "api_key")
        return SecretStr(key) if key else None
    if value is not None and not callable(value):
        raise ConfigurationError("api_key must be a string, or a function that returns one")
    return value


def _headers(value: object) -> dict[str, SecretStr]:
    if not isinstance(value, Mapping):
        raise ConfigurationError("headers must be a mapping of names to strings")
    headers = {}
    for name, secret in value.items():
        text = _revealed(secret)
        if not isinstance(name, str) or not isinstance(text, str):
            raise ConfigurationError("headers must be a mapping of names to strings")
        if not name or not TOKEN_CHARACTERS.issuperset(name):
            raise ConfigurationError(f"header name {name[:40]!r} has characters that no header name can have")
        if name.lower() in FRAMING_HEADERS:
            raise ConfigurationError(f"header {name!r} is set by the transport: leave it out")
        headers[name] = SecretStr(header_value(text, f"header {name!r}"))
    return headers


def _auth(value: object) -> object:
    value = _revealed(value)
    return SecretStr(value) if isinstance(value, str) and value else value or None


def _user_agent(value: str | None) -> str | None:
    return header_value(value, "user_agent") if value else None


# URLs


def _split(text: str, what: str, schemes: tuple[str, ...]) -> SplitResult:
    """Split a URL, or say what is wrong with it without its user name and password."""
    shown = text.rpartition("@")[2].partition("?")[0]
    if not shown.isprintable() or " " in shown:
        raise ConfigurationError(f"{what} has white space or control characters: {shown[:200]!r}")
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        host = url = None
    if url is not None and url.scheme not in schemes:
        raise ConfigurationError(
            f"{what} must start with {' or '.join(f'{scheme}://' for scheme in schemes)}: "
            f"write {schemes[0]}://{shown.rpartition('://')[2]}"
        )
    if url is None or not host:
        raise ConfigurationError(f"{what} {shown!r} has no valid host and port: write {schemes[0]}://host:8000")
    return url


def _without_auth(url: SplitResult, path: str) -> tuple[str, SecretStr | None]:
    """Part a URL from the credentials in it."""
    auth, _, address = url.netloc.rpartition("@")
    user, _, password = auth.partition(":")
    secret = SecretStr(f"{unquote(user)}:{unquote(password)}") if auth else None
    return urlunsplit((url.scheme, address, path, "", "")), secret


def _part_base_url(text: str) -> tuple[str, SecretStr | None]:
    """Reduce the address of a server, or of one of its endpoints, to the part before `/v1`."""
    url = _split(text.strip(), "base_url", ("http", "https"))
    if url.query or url.fragment:
        raise ConfigurationError("base_url has a query or a fragment: leave it out, and put tokens into headers")
    path = url.path.rstrip("/")
    for end in KNOWN_PATHS:
        path = path.removesuffix(end).rstrip("/")
    return _without_auth(url, path)


def _part_proxy(text: str) -> tuple[str, SecretStr | None]:
    url = _split(text.strip(), "proxy", ("http", "https"))
    return _without_auth(url, "")


# Settings


class Timeouts(BaseModel):
    """How long to wait, in seconds, by phase; None waits for ever.

    A plain number stands for `first_token` and `stall`, and caps the others: `timeout=60` never waits longer
    than 60 s for a sign of progress, and lets a stream that makes progress run on. Set `total` to end it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    connect: Seconds | None = 5.0
    """To reach the server: name, TCP, TLS, proxy."""
    pool: Seconds | None = 30.0
    """For a free connection where `max_connections` are in use."""
    write: Seconds | None = 30.0
    """To send the request."""
    first_token: Seconds | None = 600.0
    """From the request to the first data of the answer; without a stream, to the whole answer's headers."""
    stall: Seconds | None = 120.0
    """From one piece of data to the next; keep-alive comments are none."""
    total: Seconds | None = None
    """For the whole call, retries and their delays included."""

    @classmethod
    def of(cls, seconds: float) -> "Timeouts":
        """Build the timeouts that a plain number stands for."""
        short = {name: min(seconds, cls.model_fields[name].default) for name in ("connect", "pool", "write")}
        return cls(first_token=seconds, stall=seconds, **short)


def _timeouts(value: object) -> Timeouts:
    if isinstance(value, Mapping):
        refuse_unknown((str(name) for name in value), Timeouts.model_fields)
        return Timeouts(**value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < math.inf:
            raise ConfigurationError("timeout must be a number of seconds above 0")
        return Timeouts.of(float(value))
    if not isinstance(value, Timeouts):
        raise ConfigurationError("timeout must be a number of seconds, a mapping or a Timeouts")
    return value


def _environment_timeout(text: str) -> Timeouts:
    seconds = read_number(text)
    if not seconds:
        raise ValueError("expected a number of seconds above 0")
    return Timeouts.of(seconds)


class VllmConfig(BaseModel):
    """Where the server is and how to talk to it.

    Secrets are left out of dumps and pickles. After unpickling, the key is read from `VLLM_API_KEY` again, if
    that is set, and other secrets have to be given again; copies in the same process keep them.

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
    headers: Annotated[Mapping[str, str | SecretStr], BeforeValidator(_headers)] = Field(
        default_factory=dict, exclude=True
    )
    """More headers for every request; their values are treated as secrets."""
    user_agent: Annotated[str | None, AfterValidator(_user_agent)] = None
    """The User-Agent header, None for this package's name and version."""

    timeout: Annotated[Timeouts | float | Mapping[str, float | None], BeforeValidator(_timeouts)] = Field(
        default_factory=lambda: environment("VLLM_TIMEOUT", _environment_timeout, Timeouts())
    )
    """How long to wait: a `Timeouts`, its fields as a mapping, or a number of seconds. From `VLLM_TIMEOUT`."""
    max_retries: int = Field(default_factory=lambda: environment("VLLM_MAX_RETRIES", read_count, 2), ge=0)
    """How often a request is sent again, at most. From `VLLM_MAX_RETRIES`."""
    retry_delay: Seconds = 0.5
    """Upper bound of the first random delay, in seconds; each further one doubles it."""
    max_retry_delay: Seconds = 8.0
    """Upper bound of every random delay, in seconds."""
    max_retry_after: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    """The longest wait that a server may ask for, in seconds; if it asks for more, there is no retry."""
    retry_timeouts: bool = False
    """Also retry after a timeout of a request that the server has; it may still be working on that one."""

    verify: bool | str = True
    """Verify the server's certificate; a path names a file or folder of CA certificates."""
    client_cert: str | tuple[str, str] | None = None
    """Path of a client certificate with its key, or the paths of both."""
    proxy: str | None = None
    """A proxy, `http://host:3128`; loopback addresses never use one."""
    proxy_auth: Annotated[SecretStr | None, BeforeValidator(_auth)] = Field(default=None, exclude=True)
    """`user:password` for the proxy."""
    trust_env: bool = True
    """Use the environment's proxies (`HTTP_PROXY`, `NO_PROXY`, …) and certificates (`SSL_CERT_FILE`, …)."""
    max_connections: int = Field(default=256, ge=1)
    """How many connections are open at most; further calls wait for one, as long as `timeout.pool`."""
    keepalive_expiry: float = Field(default=4.0, ge=0, allow_inf_nan=False)
    """How long an idle connection is kept, in seconds; vLLM closes it after 5."""

    streaming_allowed: bool = True
    """False refuses streams, for gateways that cannot pass them on."""

    if not TYPE_CHECKING:  # for a type checker the fields are the signature

        def __init__(self, **given: Any) -> None:
            problem = None
            try:
                if type(self).model_config.get("extra") != "allow":
                    refuse_unknown(given, _argument_names(type(self)))
                super().__init__(**_settled(given))
            except ValidationError as error:
                problem = configuration_error(error)
            except ConfigurationError as error:
                problem = ConfigurationError(error.message)
            if problem is not None:
                given.clear()  # tracebacks, and what reports them, show the variables of a frame
                raise problem

    def __getstate__(self) -> dict[Any, Any]:
        """Leave the secrets out; a function that returns the key is none."""
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        for name in SECRETS:
            if not callable(fields.get(name)):
                fields.pop(name, None)
        return {**state, "__dict__": fields}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Put what the pickle lacks: the key of this environment, and no other secrets."""
        lacking = {name: VllmConfig.model_fields[name].get_default(call_default_factory=True) for name in SECRETS}
        super().__setstate__({**state, "__dict__": {**lacking, **state["__dict__"]}})


def _environment_key(text: str) -> SecretStr:
    try:
        return SecretStr(header_value(text, "the key"))
    except ConfigurationError as error:
        raise ValueError(error.message) from None


def _argument_names(model: type[BaseModel]) -> set[str]:
    """List what a model's constructor takes: its fields and their aliases."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        if field.alias:
            names.add(field.alias)
        if isinstance(field.validation_alias, str):
            names.add(field.validation_alias)
        else:
            names.update(str(path[0]) for path in _paths(field.validation_alias))
    return names


def _paths(alias: Any) -> list[list[str | int]]:
    return [] if alias is None else alias.convert_to_aliases()


def _settled(given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what counts as absent, and part URLs from their credentials."""
    fields = {name: value for name, value in given.items() if value is not None or name not in NONE_IS_ABSENT}
    if "base_url" not in fields:
        unset: tuple[str, SecretStr | None] = (DEFAULT_BASE_URL, None)
        url, auth = environment("VLLM_BASE_URL", _environment_url, unset)
    elif isinstance(fields["base_url"], str):
        url, auth = _part_base_url(fields["base_url"])
    else:
        return fields
    fields["base_url"] = url
    if auth:
        fields.setdefault("basic_auth", auth)
    if isinstance(fields.get("proxy"), str):
        fields["proxy"], auth = _part_proxy(fields["proxy"])
        if auth:
            fields.setdefault("proxy_auth", auth)
    return fields


def _environment_url(text: str) -> tuple[str, SecretStr | None]:
    try:
        return _part_base_url(text)
    except ConfigurationError as error:
        raise ValueError(error.message) from None


# What the transports ask


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


def authorization(config: VllmConfig) -> str | None:
    """Return the Authorization header of one request: bearer for a key, else basic, else None."""
    key = api_key_of(config)
    if key:
        return f"Bearer {key}"
    if config.basic_auth:
        return basic(config.basic_auth)
    return None


def basic(auth: SecretStr) -> str:
    """Spell `user:password` as a header does (RFC 7617)."""
    from base64 import b64encode  # noqa: PLC0415 - few need it

    return f"Basic {b64encode(auth.get_secret_value().encode()).decode()}"


def secrets_of(config: VllmConfig) -> tuple[str, ...]:
    """List the texts that must not be shown: keys, header values and passwords, the longest first."""
    found = [api_key_of(config) or ""]
    found.extend(str(_revealed(value)) for value in config.headers.values())
    for auth in (config.basic_auth, config.proxy_auth):
        if auth:
            found += [auth.get_secret_value(), auth.get_secret_value().partition(":")[2], basic(auth)[6:]]
    return tuple(sorted({text for text in found if len(text) >= SHORTEST_SECRET}, key=len, reverse=True))


SHORTEST_SECRET = 4
"""Shorter values, such as a header's `1`, would only blot the text."""


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Blot out secrets that a server or a library repeats in its text."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
