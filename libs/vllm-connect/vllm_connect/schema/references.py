"""References of a JSON schema that lead nowhere.

`{"properties": {"p": {"$ref": "#/$defs/Missing"}}}` makes the server refuse the request with a message that names neither the
schema nor the reference, and a reference to another document is not resolved by anyone. Source: JSON Schema 2020-12, 8.2.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["dangling_references"]


def dangling_references(schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Find the references of a schema that lead nowhere within it.

    Args:
        schema: A JSON schema.

    Returns:
        The path of each such reference, `$.properties.p`, and the reference.
    """
    found = list(_references(schema, "$"))
    if not found:
        return []
    anchors = set(_anchors(schema))
    base = schema.get("$id") or ""
    return [(path, reference) for path, reference in found if not _leads_somewhere(reference, schema, base, anchors)]


def _references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield path, inner
            elif name not in ("enum", "const", "default", "examples"):
                yield from _references(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _references(inner, f"{path}[{index}]")


def _anchors(value: Any) -> Iterator[str]:
    """Yield the names by which subschemas can be referred to."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("$anchor", "$dynamicAnchor") and isinstance(inner, str):
                yield f"#{inner}"
            elif name in ("$id", "id") and isinstance(inner, str):
                yield inner
            else:
                yield from _anchors(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _anchors(inner)


def _leads_somewhere(reference: str, root: Mapping[str, Any], base: str, anchors: set[str]) -> bool:
    if reference in anchors:
        return True
    document, _, fragment = reference.partition("#")
    if document and document != base:
        return document in anchors or document.startswith(("http://json-schema.org/", "https://json-schema.org/"))
    if fragment and not fragment.startswith("/"):
        return f"#{fragment}" in anchors
    found: Any = root
    for part in unquote(fragment).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return False
    return True
