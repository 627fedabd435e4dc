"""What a JSON schema asks for that the server's grammar does not hold.

`{"type": "integer", "multipleOf": 5}` is accepted by a server and its `multipleOf` ignored, so the answer may be 7. Such a
keyword is named with its path, `$.properties.n.multipleOf`; the answer is checked against it all the same. What means the
same in words that every backend knows is rewritten. Source: the xgrammar and guidance backends of vLLM 0.32.0.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Finding", "lint_schema", "rewrite_schema"]

IGNORED = {
    "integer": ("multipleOf",),
    "number": ("multipleOf",),
    "array": ("uniqueItems", "contains", "minContains", "maxContains"),
    "object": ("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
}
"""Keywords that constrain a type and that a grammar cannot count or remember."""

ANYWHERE = ("not", "if", "then", "else", "dependencies")
"""Keywords that no grammar holds, whatever the type."""

NESTED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
SINGLE = ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")


class Finding(NamedTuple):
    """A keyword that the server may not hold.

    Attributes:
        path: Where it stands, `$.properties.n.multipleOf`.
        keyword: The keyword.
        advice: What becomes of it.
    """

    path: str
    keyword: str
    advice: str


def lint_schema(schema: Mapping[str, Any]) -> list[Finding]:
    """List what of a schema the server may not hold.

    Args:
        schema: A JSON schema.

    Returns:
        The findings, outermost first; empty for a schema that a grammar holds whole.
    """
    return list(_findings(schema, "$"))


def _findings(schema: Any, path: str) -> Iterator[Finding]:
    if not isinstance(schema, Mapping):
        return
    types = schema.get("type")
    kinds = [types] if isinstance(types, str) else list(types or ())
    for keyword in dict.fromkeys([*ANYWHERE, *(word for kind in kinds for word in IGNORED.get(kind, ()))]):
        if keyword in schema and schema[keyword] is not False:
            yield Finding(
                f"{path}.{keyword}", keyword, "the grammar ignores it; the answer is checked when it has come"
            )
    if "string" in kinds and ("pattern" in schema or "format" in schema):
        for keyword in ("minLength", "maxLength"):
            if keyword in schema:
                advice = "beside pattern or format the grammar ignores it; put the length into the pattern"
                yield Finding(f"{path}.{keyword}", keyword, advice)
    reference = schema.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        yield Finding(f"{path}.$ref", "$ref", "a reference outside of the schema is not followed: put the schema here")
    for where, below in _below(schema, path):
        yield from _findings(below, where)


def _below(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for keyword in NESTED:
        named = schema.get(keyword)
        if isinstance(named, Mapping):
            for name, below in named.items():
                yield f"{path}.{keyword}.{name}", below
    for keyword in LISTED:
        listed = schema.get(keyword)
        if isinstance(listed, list):
            for index, below in enumerate(listed):
                yield f"{path}.{keyword}[{index}]", below
    for keyword in SINGLE:
        if isinstance(schema.get(keyword), Mapping):
            yield f"{path}.{keyword}", schema[keyword]


def rewrite_schema(schema: Any) -> Any:
    """Say the same in words that every backend knows.

    Args:
        schema: A JSON schema; it is not changed.

    Returns:
        A schema that the same values fit: `const` as an `enum` of one, an `allOf` of one in its place, OpenAPI's
        `nullable` as a type.
    """
    if not isinstance(schema, Mapping):
        return schema
    out: dict[str, Any] = {name: _rewritten(name, value) for name, value in schema.items()}
    if "const" in out and "enum" not in out:
        out["enum"] = [out.pop("const")]
    only = out.get("allOf")
    if isinstance(only, list) and len(only) == 1 and isinstance(only[0], dict) and not set(only[0]) & set(out):
        del out["allOf"]
        out.update(only[0])
    if out.get("nullable") is True and isinstance(out.get("type"), str) and "enum" not in out:
        del out["nullable"]
        out["type"] = [out["type"], "null"]
    return out


def _rewritten(name: str, value: Any) -> Any:
    if name in NESTED and isinstance(value, Mapping):
        return {key: rewrite_schema(below) for key, below in value.items()}
    if name in LISTED and isinstance(value, list):
        return [rewrite_schema(below) for below in value]
    return rewrite_schema(value) if name in SINGLE else value
