"""JSON schemas rewritten in keywords that every grammar backend supports.

`{"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}`, of which a grammar enforces nothing, is
`{"properties": {"a": {}, "b": {}}}`, of which it enforces all. What cannot be rewritten and makes the server refuse the
schema, `uniqueItems` of a `set`, is left out of what is sent, and the answer is validated against the original schema.
Source: the xgrammar and guidance backends of vLLM 0.32.0, each rule tried on such a server.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.schema.lint import NOTES, is_of_type
from vllm_connect.schema.supported import supported_part
from vllm_connect.schema.walk import map_subschemas

__all__ = ["rewrite_schema", "sendable_schema", "with_null_as_type"]

MERGED = ("properties", "$defs", "definitions")
"""Keywords whose values are merged name by name."""

CONTEXTUAL = frozenset(
    [
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "maxContains",
        "minContains",
        "patternProperties",
        "prefixItems",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
"""Keywords that depend on their neighbours, so that a schema with one of them cannot be merged with another."""


def rewrite_schema(schema: Any) -> Any:
    """Rewrite a schema in keywords that every backend supports.

    Args:
        schema: A JSON schema; it is not changed.

    Returns:
        An equivalent schema: `const` as an `enum` of one value, an `allOf` merged, keywords beside an `anyOf` or a `$ref`
        moved into it, a name that is only required as a property, OpenAPI's `nullable` as a type, an `enum` without the
        values that the type beside it forbids.
    """
    plain = with_null_as_type(schema)
    return _rewritten(plain, plain)


def sendable_schema(schema: Any) -> Any:
    """Rewrite a schema so that the server accepts it.

    Args:
        schema: A JSON schema; it is not changed.

    Returns:
        A schema that accepts every value that the given one accepts.
    """
    return supported_part(rewrite_schema(schema))


def with_null_as_type(schema: Any) -> Any:
    """Convert OpenAPI's `nullable`, which JSON Schema does not have, into a type.

    Args:
        schema: A schema; it is not changed.
    """
    if not isinstance(schema, Mapping):
        return schema
    out = map_subschemas(schema, with_null_as_type)
    if out.get("nullable") is True and isinstance(out.get("type"), str) and "enum" not in out:
        del out["nullable"]
        out["type"] = [out["type"], "null"]
    return out


def _rewritten(schema: Any, root: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    out = map_subschemas(schema, lambda inner: _rewritten(inner, root))
    if "const" in out and "enum" not in out:
        out["enum"] = [out.pop("const")]
    return _with_enum_narrowed(
        _with_required_declared(_with_any_of_distributed(_with_ref_inlined(_with_all_of_merged(out, root), root)))
    )


def _with_enum_narrowed(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove from an `enum` what the type beside it forbids, which a grammar would allow."""
    if "enum" not in schema or "type" not in schema:
        return schema
    kept = [value for value in schema["enum"] if is_of_type(value, schema["type"])]
    return {**schema, "enum": kept} if kept else schema


def _with_all_of_merged(schema: dict[str, Any], root: Any) -> dict[str, Any]:
    """Merge the branches of an `allOf` into the schema, resolving references where there is more than one branch."""
    branches = schema.get("allOf")
    if not isinstance(branches, list) or not branches:
        return schema
    joined: dict[str, Any] | None = {name: value for name, value in schema.items() if name != "allOf"}
    alone = len(branches) == 1 and not schema.keys() - NOTES - {"allOf"}
    for branch in branches:
        named = None if alone else _resolved(branch, root)
        joined = None if joined is None else _merged(joined, branch if named is None else named)
    return schema if joined is None else joined


def _resolved(schema: Any, root: Any) -> dict[str, Any] | None:
    """Find the schema that a lone `$ref` refers to; None where it is not found, or has references itself."""
    reference = schema.get("$ref") if isinstance(schema, Mapping) and not schema.keys() - NOTES - {"$ref"} else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return _rewritten(found, root) if isinstance(found, Mapping) and not _refers(found) else None


def _with_ref_inlined(schema: dict[str, Any], root: Any) -> dict[str, Any]:
    """Inline a `$ref` with keywords beside it, which would be ignored."""
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    if "$ref" not in schema or not rest.keys() - NOTES:
        return schema
    named = _resolved({"$ref": schema["$ref"]}, root)
    return schema if named is None else _merged(rest, named) or schema


def _refers(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return "$ref" in schema or any(_refers(value) for value in schema.values())
    return isinstance(schema, list) and any(_refers(value) for value in schema)


def _with_any_of_distributed(schema: dict[str, Any]) -> dict[str, Any]:
    """Move keywords beside an `anyOf` into each of its branches."""
    branches = schema.get("anyOf")
    notes = {name: value for name, value in schema.items() if name in NOTES}
    beside = {name: value for name, value in schema.items() if name not in NOTES and name != "anyOf"}
    if not isinstance(branches, list) or not beside or "oneOf" in beside or "$ref" in beside:
        return schema
    both = [_merged(beside, branch) for branch in branches]
    return schema if any(branch is None for branch in both) else {**notes, "anyOf": both}


def _merged(one: Mapping[str, Any], other: Any) -> dict[str, Any] | None:
    """Merge two schemas into one that accepts what both accept; None where that is not possible."""
    if not isinstance(other, Mapping) or "$ref" in one or "$ref" in other:
        alone = isinstance(other, Mapping) and not one.keys() - NOTES
        return {**one, **other} if alone and isinstance(other, Mapping) else None
    if one.keys() - NOTES and other.keys() - NOTES and (CONTEXTUAL & one.keys() or CONTEXTUAL & other.keys()):
        return None
    out = dict(one)
    for name, value in other.items():
        if name not in out or out[name] == value:
            out[name] = value
        elif name in MERGED and all(out[name][key] == value[key] for key in out[name].keys() & value.keys()):
            out[name] = {**out[name], **value}
        elif name == "required":
            out[name] = list(dict.fromkeys([*out[name], *value]))
        elif name in MERGED or name not in NOTES:
            return None
    return out


def _with_required_declared(schema: dict[str, Any]) -> dict[str, Any]:
    """Add a property for a name that is only required, with the schema of additional properties."""
    names = schema.get("required") or ()
    other = schema.get("additionalProperties", True)
    declared = schema.get("properties", {})
    missing = [name for name in names if name not in declared]
    if not missing or other is False or not {"anyOf", "patternProperties", "unevaluatedProperties"}.isdisjoint(schema):
        return schema
    anything = {} if other is True else other
    return {**schema, "properties": {**declared, **dict.fromkeys(missing, anything)}}
