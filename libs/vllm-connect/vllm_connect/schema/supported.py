"""The part of a JSON schema that every grammar backend supports.

vLLM chooses a backend for each schema, and the first structured request of an engine fixes it: a schema that xgrammar does
not support makes every later one of another backend fail with a 400, for all users of the server. So what xgrammar does not
support is left out of what is sent: `{"type": "integer", "multipleOf": 5}` is `{"type": "integer"}`. The result accepts every
value that the original accepts, and the answer is validated against the original.
Source: the xgrammar backend of vLLM 0.32.0 and 0.33.0, each rule tried on such a server.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.schema.grammar_patterns import is_supported_pattern
from vllm_connect.schema.walk import map_subschemas

__all__ = ["BOUNDS", "FORMATS", "PROPERTY_KEYWORDS", "beyond_64_bits", "supported_part"]

UNSUPPORTED = frozenset({"contains", "maxContains", "minContains", "multipleOf", "uniqueItems"})
"""Keywords that the backend does not support, wherever they stand."""

BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

FORMATS = frozenset(
    [
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "json-pointer",
        "relative-json-pointer",
        "time",
        "uri",
        "uri-reference",
        "uri-template",
        "uuid",
    ]
)
"""Formats that a grammar enforces; for any other the server refuses the whole schema."""

PROPERTY_KEYWORDS = frozenset({"patternProperties", "properties", "unevaluatedProperties"})
"""Keywords beside which the backend does not support `propertyNames`."""

NEGATIVE = ("not", "if", "then", "else")
"""Keywords under which removing a constraint would make the schema stricter; no grammar enforces them."""


def supported_part(schema: Any) -> Any:
    """Remove what the grammar backend does not support.

    Args:
        schema: A JSON schema; it is not changed.

    Returns:
        A schema that accepts every value that the given one accepts.
    """
    if not isinstance(schema, Mapping):
        return schema
    kept = {name: value for name, value in schema.items() if not _is_unsupported(schema, name)}
    patterns = kept.get("patternProperties") or ()
    if (
        len(patterns) > 1
        or not all(map(_is_pattern, patterns))
        or ("properties" in kept and "patternProperties" in kept)
    ):
        for name in ("patternProperties", "additionalProperties", "unevaluatedProperties"):
            kept.pop(name, None)  # a name that matches a pattern would now be an additional property
    if len(kept.get("allOf") or ()) > 1:
        kept.pop("allOf")
        kept.pop("unevaluatedProperties", None)
    negative = {name: kept.pop(name) for name in NEGATIVE if name in kept}
    if any(supported_part(each) != each for each in negative.values()):
        negative = {}
    out = {**map_subschemas(kept, supported_part), **negative}
    if out.get("oneOf") != kept.get("oneOf") and "anyOf" not in out:
        out["anyOf"] = out.pop("oneOf")  # a value may now match two branches
    return out


def _is_unsupported(schema: Mapping[str, Any], name: str) -> bool:
    if name == "format":
        return schema[name] not in FORMATS
    if name == "pattern":
        return not _is_pattern(schema[name])
    if name in ("minLength", "maxLength"):
        return _is_pattern(schema.get("pattern")) or schema.get("format") in FORMATS
    if name == "propertyNames":
        return not PROPERTY_KEYWORDS.isdisjoint(schema)
    return name in UNSUPPORTED or (name in BOUNDS and beyond_64_bits(schema, name))


def _is_pattern(value: Any) -> bool:
    """Check whether a value is a regular expression that the backend supports."""
    return isinstance(value, str) and is_supported_pattern(value)


def beyond_64_bits(schema: Mapping[str, Any], keyword: str) -> bool:
    """Check whether a bound exceeds the server's integers, which makes it refuse the schema."""
    bound = schema.get(keyword)
    return isinstance(bound, int) and not -(2**63) <= bound < 2**63
