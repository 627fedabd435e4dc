"""Validation errors without the values that were given: one of them may be the key.

`ChatVllm(temprature=0)` is `unknown argument 'temprature'; did you mean 'temperature'?`.
"""

import difflib
import sys
from collections.abc import Collection, Iterable

from pydantic import ValidationError

from vllm_connect.errors import ConfigurationError

__all__ = [
    "callers_stacklevel",
    "check_async_http_client",
    "check_http_client",
    "configuration_error",
    "nearest",
    "refuse_unknown",
]

TYPES = frozenset({"bool", "dict", "float", "int", "str"})

PROMISES = "Input should be "
"""How pydantic's messages begin."""


BETWEEN = (
    "langchain_core",
    "langchain_vllm",
    "llama_index.core",
    "llama_index_instrumentation",
    "llama_index_vllm",
    "pydantic",
    "vllm_connect",
)
"""Packages whose frames stand between the caller and the place that warns."""


def callers_stacklevel() -> int:
    """Return the `stacklevel` with which `warnings.warn`, called where this is called, shows the caller's line."""
    level = 1
    frame = sys._getframe(1)  # noqa: SLF001 - documented; `inspect.currentframe` is slow to import
    while frame.f_back is not None and _is_between(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
        level += 1
    return level


def _is_between(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in BETWEEN)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the name that was probably meant.

    Args:
        name: The name given.
        known: The names that exist.

    Returns:
        The most similar one; None if no name is similar.
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Check that all arguments are known; an unknown one would be ignored silently.

    Args:
        given: Names of the arguments given.
        known: Names that are accepted.

    Raises:
        ConfigurationError: A name is not known; the message has the name that was probably meant.
    """
    for name in given:
        if name not in known:
            meant = nearest(name, known)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise ConfigurationError(f"unknown argument {name!r}{hint}")


def configuration_error(error: ValidationError) -> ConfigurationError:
    """Convert pydantic's error into one without any value that was given.

    Raise the result outside of the `except` block: a chained exception would still hold the values.

    Args:
        error: Pydantic's error.

    Returns:
        One error whose message has a line for each problem.
    """
    found: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        parts = [str(part) for part in problem["loc"]]
        where = ".".join(part for number, part in enumerate(parts) if not number or not _is_union_member(part))
        found.setdefault(where, []).append(problem["msg"].removeprefix("Value error, "))
    lines = []
    for where, (first, *others) in found.items():
        what = " or ".join([first, *(other.removeprefix(PROMISES) for other in others)])
        lines.append(f"{where}: {what}" if where and not what.startswith(where) else what)
    return ConfigurationError("\n".join(lines))


def _is_union_member(part: str) -> bool:
    """Check whether a part of a problem's place names a member of a union: `bool`, `list[str]` or `MessagePolicy`."""
    return part in TYPES or part[:1].isupper() or part.endswith("]")


def check_http_client(client: object) -> object:
    """Check that a client for blocking calls is one.

    Args:
        client: An `httpx.Client`, one of httpx2, or a mock of them; None for the built-in transport.

    Returns:
        The client.

    Raises:
        ConfigurationError: It is something else.
    """
    if client is not None and not (hasattr(client, "build_request") and hasattr(client, "close")):
        raise ConfigurationError("http_client must be an httpx.Client; for asynchronous calls set http_async_client")
    return client


def check_async_http_client(client: object) -> object:
    """Check that a client for asynchronous calls is one; see `check_http_client`."""
    if client is not None and not (hasattr(client, "build_request") and hasattr(client, "aclose")):
        raise ConfigurationError("http_async_client must be an httpx.AsyncClient; for blocking calls set http_client")
    return client
