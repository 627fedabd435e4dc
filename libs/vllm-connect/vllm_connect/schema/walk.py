"""The one walker over JSON schemas: where subschemas stand.

`{"properties": {"n": {"type": "integer"}}}` has the subschema `$.properties.n`.
Source: JSON Schema 2020-12, section 10.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["map_subschemas", "subschemas"]

BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
IN_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
DIRECT = ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")


def map_subschemas(schema: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Apply a change to the direct subschemas of a schema."""
    out = dict(schema)
    for name, value in schema.items():
        if name in BY_NAME and isinstance(value, Mapping):
            out[name] = {key: change(inner) for key, inner in value.items()}
        elif name in IN_LISTS and isinstance(value, list):
            out[name] = [change(inner) for inner in value]
        elif name in DIRECT:
            out[name] = change(value)
    return out


def subschemas(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Yield the direct subschemas of a schema, each with its path."""
    for keyword in BY_NAME:
        named = schema.get(keyword)
        if isinstance(named, Mapping):
            for name, inner in named.items():
                yield f"{path}.{keyword}.{name}", inner
    for keyword in IN_LISTS:
        listed = schema.get(keyword)
        if isinstance(listed, list):
            for index, inner in enumerate(listed):
                yield f"{path}.{keyword}[{index}]", inner
    for keyword in DIRECT:
        if isinstance(schema.get(keyword), Mapping):
            yield f"{path}.{keyword}", schema[keyword]
