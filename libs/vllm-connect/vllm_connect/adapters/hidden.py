"""Secrets of one call, hidden from what a framework shows of its arguments.

A framework hands a call's arguments to tracers, callbacks, events and caches, and keeps those that are bound. `hide({"api_key":
"sk-1", "top_k": 5})` is `{"api_key": "[secret]", "top_k": 5}`; `reveal` returns the value where the request is built.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

from vllm_connect.adapters.foreign_names import RENAMED, SPREAD
from vllm_connect.config.config import MASK, SECRETS
from vllm_connect.errors import ConfigurationError
from vllm_connect.request.json_values import encode_json

__all__ = ["Hidden", "digest", "hide", "hiding", "reveal"]

Method = TypeVar("Method", bound=Callable[..., Any])

FOREIGN = frozenset(name for name, renamed in RENAMED.items() if renamed.name in SECRETS) | SPREAD
NAMES = FOREIGN | {*SECRETS, "extra_body", "extra_headers"}
"""Arguments whose values are hidden, by their names in other clients too; a function that returns a key is not a secret."""
NESTED = "llm_kwargs"
"""An argument of LlamaIndex that holds the arguments of a call."""


class Hidden(str):
    """A text that stands for a value and does not show it; copies have the value and pickles do not.

    It is a text because that is what every serializer of a framework or a tracer can write.

    Args:
        value: The value; None, which stands for no value, after unpickling.
    """

    __slots__ = ("_value",)
    _value: Any

    def __new__(cls, value: Any = None) -> "Hidden":
        """Hide a value."""
        hidden = super().__new__(cls, MASK)
        hidden._value = value
        return hidden

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and bool(self._value == other._value)

    __hash__ = None  # type: ignore[assignment]  # the value may change

    def __copy__(self) -> "Hidden":
        return self

    def __deepcopy__(self, memo: object) -> "Hidden":
        return self

    def __reduce__(self) -> tuple[type["Hidden"], tuple[()]]:
        return Hidden, ()


def reveal(value: Any) -> Any:
    """Return a value that may be hidden."""
    return value._value if isinstance(value, Hidden) else value  # noqa: SLF001 - of this module


def hide(given: Mapping[str, Any]) -> dict[str, Any]:
    """Hide the secrets among a call's arguments: keys, headers, passwords, `extra_body`, addresses with credentials."""
    return {name: _hidden(name, value) for name, value in given.items()}


def hiding(method: Method) -> Method:
    """Wrap a framework's method so that it receives the secrets among its arguments hidden."""
    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def wait(self: Any, *args: Any, **given: Any) -> Any:
            if given:
                given = hide(given)  # which leaves no frame with the values
            return await method(self, *args, **given)

        return cast("Method", wait)

    @wraps(method)
    def call(self: Any, *args: Any, **given: Any) -> Any:
        if given:
            given = hide(given)
        return method(self, *args, **given)

    return cast("Method", call)


def digest(*values: Any) -> str:
    """Return a digest of values, hidden or not, for the key of a cache; empty where all of them are empty."""
    revealed = [reveal(value) for value in values]
    if not any(revealed):
        return ""
    try:
        text, _ = encode_json(revealed)
    except ConfigurationError:  # which the call reports
        text = b""
    return hashlib.sha256(text).hexdigest()


def _hidden(name: str, value: Any) -> Any:
    if name == NESTED and isinstance(value, Mapping):
        return hide(value)
    has_credentials = isinstance(value, str) and "://" in value and "@" in value
    has_secret = name in NAMES or has_credentials
    return (
        Hidden(value) if has_secret and not (value is None or isinstance(value, Hidden) or callable(value)) else value
    )
