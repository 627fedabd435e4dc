"""The arguments of a tool call: one strict JSON object (RFC 8259, section 4), and nothing else.

`{"city": "Tokyo"}` passes. `{"city": "Tok`, `{"a": NaN}`, `{"a": 1, "a": 2}`, `{}{}` and `[1]` do not.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

__all__ = ["MAX_BYTES", "MAX_DEPTH", "TRUNCATED", "ArgumentsError", "read_arguments", "required_parameters"]

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 128
TRUNCATED = frozenset({"length", "abort", "error", "repetition"})
"""Finish reasons after which the last call of an answer may be a fragment."""


class ArgumentsError(ValueError):
    """Arguments that must not be executed; the message is the reason, for the model and its user."""


def read_arguments(text: str) -> dict[str, Any]:
    """Read a call's arguments.

    Args:
        text: The arguments' JSON text as the model wrote it.

    Returns:
        The arguments by name.

    Raises:
        ArgumentsError: The text is not one strict, finite, bounded JSON object.
    """
    if _size(text) > MAX_BYTES:
        raise ArgumentsError(f"the arguments are larger than {MAX_BYTES} bytes")
    if _depth_exceeds(text, MAX_DEPTH):
        raise ArgumentsError(f"the arguments are nested deeper than {MAX_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ArgumentsError(f"the arguments are not valid JSON: {error.msg} at character {error.pos}") from None
    except ArgumentsError:
        raise
    except ValueError as error:  # an integer of more digits than Python converts
        raise ArgumentsError(f"the arguments have a number that cannot be represented: {error}") from None
    if not isinstance(value, dict):
        raise ArgumentsError(f"the arguments are a JSON {_kind(value)}, not an object")
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def required_parameters(tools: Sequence[Mapping[str, Any]] | None, name: str) -> Sequence[str] | None:
    """Find the parameters that a tool requires.

    Args:
        tools: The tools of the request in OpenAI's shape, None where they are not known.
        name: The tool's name.

    Returns:
        The names of its required parameters, or None where the tool is not known.
    """
    for tool in tools or ():
        function = tool.get("function") or {}
        if function.get("name") == name:
            required: Sequence[str] = (function.get("parameters") or {}).get("required") or ()
            return required
    return None


def _kind(value: object) -> str:
    for kind, name in ((str, "string"), (bool, "boolean"), (int, "number"), (float, "number"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "null"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ArgumentsError(f"the arguments have the key {twice!r} twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ArgumentsError(f"the arguments have {name}, which is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ArgumentsError("the arguments have a number too large for a float")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, strict=True
)


def _depth_exceeds(text: str, limit: int) -> bool:
    if text.count("{") + text.count("[") <= limit:
        return False
    depth = 0
    inside = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif inside:
            if char == "\\":
                escaped = True
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in "{[":
            depth += 1
            if depth > limit:
                return True
        elif char in "}]":
            depth -= 1
    return False


def _size(text: str) -> int:
    """Count bytes, up to the limit and a little beyond."""
    try:
        return len(text[: MAX_BYTES + 1].encode())
    except UnicodeEncodeError:
        raise ArgumentsError("the arguments have a lone surrogate, which is not valid Unicode") from None


def _refuse_lone_surrogates(value: dict[str, Any]) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ArgumentsError("the arguments have a lone surrogate, which is not valid Unicode") from None
