"""Values that a format writes as bare text, converted to JSON by the types that their schemas allow.

`42` is `42` if the schema allows an integer, and `"42"` if it allows only a string. JSON is kept verbatim, so that the
arguments are validated as if the model had written all of them: numbers keep their digits, and a duplicate name, or a NaN in a
list, is refused. Text that is not JSON, or not a finite number, stays text.
"""

import json
import math
from collections.abc import Set as AbstractSet

from vllm_connect.parsing.scanner import WHITESPACE

__all__ = ["TYPES", "coerced", "json_or_text", "quote", "verbatim"]

TYPES = ("null", "integer", "number", "boolean", "object", "array", "string")
"""JSON types in the order in which they are tried."""

_DIGITS = tuple("-0123456789")
_BOOLEANS = {"true": "true", "1": "true", "false": "false", "0": "false"}
_BRACKETS = {"object": "{", "array": "["}


def quote(text: str) -> str:
    """Return a text as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def json_or_text(text: str) -> str:
    """Return a text of unknown type: verbatim if it is JSON, and as a string otherwise."""
    return _as_json(text.strip(WHITESPACE)) or quote(text)


def verbatim(text: str) -> str:
    """Return a text whose tag declares it to be JSON: verbatim if it is, and as a string otherwise."""
    bare = text.strip(WHITESPACE)
    return bare if _is_json(bare) else quote(text)


def coerced(text: str, types: AbstractSet[str]) -> str:
    """Convert a text to one of some types.

    Args:
        text: The text.
        types: The JSON types that its schema allows; empty if it does not say.

    Returns:
        JSON text of the first type that fits; a string if none does.
    """
    bare = text.strip(WHITESPACE)
    for name in TYPES:
        if name in types and (found := _as(name, bare, text, types)) is not None:
            return found
    return json_or_text(text)


def _as(name: str, bare: str, text: str, types: AbstractSet[str]) -> str | None:
    if name == "string":
        return quote(text)
    if name == "null":
        return "null" if text == "null" or ("string" not in types and bare.lower() in ("null", "none")) else None
    if name == "boolean":
        return _BOOLEANS.get(bare.lower())
    if name == "integer":
        return _number(bare, whole=True)
    if name == "number":
        return _number(bare)
    return _as_json(bare) if bare.startswith(_BRACKETS[name]) else None


def _number(text: str, *, whole: bool = False) -> str | None:
    """Return a finite number verbatim, of any number of digits; None if the text is not one."""
    if not text.startswith(_DIGITS):
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    except ValueError:
        return text
    return text if isinstance(value, int) or (not whole and math.isfinite(value)) else None


def _as_json(text: str) -> str | None:
    """Return JSON verbatim, valid as arguments or not; None for other text and for a number that is not finite."""
    if text.startswith(("{", "[", '"')):
        return text if _is_json(text) else None
    return text if text in ("true", "false", "null") else _number(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    except (ValueError, RecursionError):  # too many digits or too deep: JSON, though not valid as arguments
        return True
    return True
