"""A request's body as JSON: every value is sent as what it means, or refused with its place.

`{"seed": numpy.int64(3), "path": Path("a")}` is `{"seed": 3, "path": "a"}`. A lone surrogate, which no JSON text in UTF-8 can
hold, becomes U+FFFD and is reported; NaN, bytes, cycles and unknown objects are a `ConfigurationError` that names the place
and shows nothing of the value.
"""

import math
from collections.abc import Mapping, Sequence, Set as AbstractSet
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
from pydantic import BaseModel

from vllm_connect.errors import ConfigurationError

__all__ = ["encode_json", "to_json_values"]

MAX_DEPTH = 256
"""Levels of nesting; templates and servers fail far below it."""

REPLACEMENT = "\ufffd"


def encode_json(value: Any, what: str = "body") -> tuple[bytes, list[str]]:
    """Encode a value as JSON.

    Args:
        value: The value.
        what: Its name, for errors and notes.

    Returns:
        The JSON text, and the places where lone surrogates were replaced.

    Raises:
        ConfigurationError: A value has no JSON; the message has its place and its type.
    """
    try:
        return msgspec.json.encode(value), []
    except (TypeError, ValueError, RecursionError, OverflowError, msgspec.MsgspecError):
        replaced: list[str] = []
        plain = _plain(value, what, 0, replaced)
    return msgspec.json.encode(plain), replaced


def to_json_values(value: Any, what: str) -> Any:
    """Convert a value into what JSON has; lone surrogates are left to `encode_json`.

    Args:
        value: The value; it is not changed.
        what: Its name, for errors.

    Raises:
        ConfigurationError: A value has no JSON; the message has its place and its type.
    """
    return _plain(value, what, 0, None)


def _plain(value: Any, place: str, depth: int, replaced: list[str] | None) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str.__str__(value), place, replaced)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal):
        return _number(value, place)
    if depth > MAX_DEPTH:
        raise ConfigurationError(
            f"{place[:200]} is nested deeper than {MAX_DEPTH} levels, or contains itself: flatten it"
        )
    if isinstance(value, Mapping):
        return {
            _key(key, place, replaced): _plain(inner, f"{place}.{str(key)[:64]}", depth + 1, replaced)
            for key, inner in value.items()
        }
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(inner, f"{place}[{at}]", depth + 1, replaced) for at, inner in enumerate(value)]
    return _plain(_converted(value, place), place, depth + 1, replaced)


def _converted(value: Any, place: str) -> Any:
    """Convert an object that stands for a JSON value."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if callable(getattr(value, "__fspath__", None)):
        return value.__fspath__()
    if callable(getattr(value, "tolist", None)):  # numpy's scalars and arrays, and tensors
        return value.tolist()
    hint = ": encode it, for example with base64" if isinstance(value, bytes | bytearray | memoryview) else ""
    raise ConfigurationError(f"{place} is of the type {type(value).__name__}, which JSON does not have{hint}")


def _number(value: float | Decimal, place: str) -> int | float:
    number = int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else float(value)
    if not math.isfinite(number):
        raise ConfigurationError(f"{place} is NaN or infinite, which JSON does not have: use a finite number or None")
    return number


def _key(key: Any, place: str, replaced: list[str] | None) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, bool | float) or not isinstance(key, str | int):
        raise ConfigurationError(f"{place} has a key of the type {type(key).__name__}: JSON keys are strings")
    return _text(str(key), place, replaced)


def _text(text: str, place: str, replaced: list[str] | None) -> str:
    if replaced is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        replaced.append(place)
        return "".join(REPLACEMENT if "\ud800" <= char <= "\udfff" else char for char in text)
    return text
