"""Values that a format writes as bare text, made JSON by the types that their schemas allow.

`42` is `42` where an integer may stand, and `"42"` where only a string may. What is JSON is said verbatim, so that whoever
reads the whole arguments judges it as if the model had written all of them: numbers keep their digits, and a name that is
given twice, or a NaN in a list, is refused. What is not JSON, or no finite number, stays the text it is.
"""

import json
import math
from collections.abc import Set as AbstractSet

__all__ = ["TYPES", "json_or_text", "quote", "stated", "typed"]

TYPES = ("null", "integer", "number", "boolean", "object", "array", "string")
"""JSON types in the order in which a text is tried as one of them."""

_SPACE = " \t\r\n"
_DIGITS = tuple("-0123456789")
_BOOLEANS = {"true": "true", "1": "true", "false": "false", "0": "false"}
_BRACKETS = {"object": "{", "array": "["}


def quote(text: str) -> str:
    """Write a text as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def json_or_text(text: str) -> str:
    """Write a text of which nothing is known: itself if it is JSON, and else as a string."""
    return _as_json(text.strip(_SPACE)) or quote(text)


def stated(text: str) -> str:
    """Write a text whose own tag says that it is JSON: itself if so, and else as a string."""
    bare = text.strip(_SPACE)
    return bare if _is_json(bare) else quote(text)


def typed(text: str, types: AbstractSet[str]) -> str:
    """Write a text as one of some types.

    Args:
        text: The text.
        types: The JSON types that its schema allows; none where it does not say.

    Returns:
        JSON text of the first type that it is one of, and a string where it is none.
    """
    bare = text.strip(_SPACE)
    for name in TYPES:
        if name in types and (found := _as(name, bare, text, types)) is not None:
            return found
    return json_or_text(text)


def _as(name: str, bare: str, text: str, types: AbstractSet[str]) -> str | None:
    if name == "string":
        return quote(text)
    if name == "null":
        word = text if "string" in types else bare.lower()
        return "null" if word == "null" else None
    if name == "boolean":
        return _BOOLEANS.get(bare.lower())
    if name == "integer":
        return _number(bare, whole=True)
    if name == "number":
        return _number(bare)
    return _as_json(bare) if bare.startswith(_BRACKETS[name]) else None


def _number(text: str, *, whole: bool = False) -> str | None:
    """Take a finite number; one of too many digits is a number still, and not this place's to judge."""
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
    """Take what is JSON, sound or not, but for a number that is not finite."""
    if text.startswith(("{", "[", '"')):
        return text if _is_json(text) else None
    return text if text in ("true", "false", "null") else _number(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    except (ValueError, RecursionError):  # too many digits, too deep: JSON, though none that passes as arguments
        return True
    return True
