"""Keywords of a JSON schema that the server's grammar does not enforce.

`{"type": "string", "format": "date", "maxLength": 10}` is accepted by a server and one of the two ignored; a
`uniqueItems` is refused with a 400, or ignored by older servers. Such a keyword is reported with its path,
`$.properties.n.uniqueItems`; the answer is validated against it all the same. Source: the xgrammar and guidance backends of
vLLM 0.32.0, each rule tried on such a server.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from vllm_connect.schema.grammar_patterns import has_lookahead, is_supported_pattern
from vllm_connect.schema.supported import BOUNDS, FORMATS, PROPERTY_KEYWORDS, beyond_64_bits
from vllm_connect.schema.walk import subschemas

__all__ = [
    "NOTES",
    "Finding",
    "is_of_type",
    "lint_schema",
]

IGNORED = {
    "integer": ("multipleOf",),
    "number": ("multipleOf",),
    "array": ("uniqueItems", "contains", "minContains", "maxContains"),
    "object": ("minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties"),
}
"""Keywords of a type that a context-free grammar cannot express."""

ANYWHERE = ("not", "if", "then", "else", "dependencies")
"""Keywords that no grammar enforces, whatever the type."""

NOTES = frozenset(
    [
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    ]
)
"""Keywords that constrain nothing."""

TYPE_KEYWORDS = {
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords of one type, which a grammar ignores without a `type`."""

CHECKED = "the grammar may ignore it; the answer is validated when it is complete"


class Finding(NamedTuple):
    """A keyword that the server may not enforce.

    Attributes:
        path: Its place, `$.properties.n.multipleOf`.
        keyword: The keyword.
        advice: What happens to it, and what to do.
    """

    path: str
    keyword: str
    advice: str


def lint_schema(schema: Mapping[str, Any]) -> list[Finding]:
    """List the keywords of a schema that the server may not enforce.

    Args:
        schema: A JSON schema.

    Returns:
        The findings, outermost first; empty for a schema that a grammar enforces completely.
    """
    return list(_findings(schema, "$"))


def _findings(schema: Any, path: str) -> Iterator[Finding]:
    if not isinstance(schema, Mapping):
        return
    for keyword, advice in {**_of_type(schema), **_beside_others(schema)}.items():
        yield Finding(f"{path}.{keyword}", keyword, advice)
    for where, inner in subschemas(schema, path):
        yield from _findings(inner, where)


def _of_type(schema: Mapping[str, Any]) -> dict[str, str]:
    """Find keywords that a grammar does not enforce for the schema's type."""
    types = schema.get("type")
    kinds = [types] if isinstance(types, str) else list(types or ())
    found = {
        keyword: CHECKED
        for keyword in (*ANYWHERE, *(word for kind in kinds for word in IGNORED.get(kind, ())))
        if schema.get(keyword, False) is not False
    }
    if "string" in kinds and ("pattern" in schema or "format" in schema):
        advice = "beside pattern or format the grammar ignores it; put the length into the pattern"
        found.update((keyword, advice) for keyword in ("minLength", "maxLength") if keyword in schema)
    if not kinds and schema.keys().isdisjoint(("enum", "const", "$ref")):
        advice = "without a type the grammar ignores it; add the type"
        found.update((word, advice) for words in TYPE_KEYWORDS.values() for word in words if word in schema)
    pattern = schema.get("pattern")
    if "string" in kinds and isinstance(pattern, str) and (has_lookahead(pattern) or not is_supported_pattern(pattern)):
        found["pattern"] = (
            "no grammar supports its lookarounds, boundaries, back references, flags, escapes or large repetitions; "
            "the answer is validated when it is complete"
        )
    if "format" in schema and schema["format"] not in FORMATS:
        found["format"] = "no grammar supports this format, and it is not validated; use a pattern"
    found.update(
        (word, "beyond 64 bits, which the grammar does not support; the answer is validated instead")
        for word in BOUNDS
        if beyond_64_bits(schema, word)
    )
    return found


def _beside_others(schema: Mapping[str, Any]) -> dict[str, str]:
    """Find keywords that a grammar does not enforce beside others."""
    found: dict[str, str] = {}
    if len(schema.get("allOf") or ()) > 1:
        found["allOf"] = "the grammar does not merge branches; the answer is validated when it is complete"
    if len(schema.get("oneOf") or ()) > 1 and "discriminator" not in schema and not _are_disjoint(schema["oneOf"]):
        found["oneOf"] = "the grammar reads it as anyOf; the answer is validated when it is complete"
    reference = schema.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        found["$ref"] = "a reference outside of the schema is not resolved: inline the schema"
    if "propertyNames" in schema and not PROPERTY_KEYWORDS.isdisjoint(schema):
        found["propertyNames"] = (
            "beside other keywords on properties it is not sent; the answer is validated when it is complete"
        )
    if "patternProperties" in schema and ("properties" in schema or len(schema["patternProperties"]) > 1):
        found["patternProperties"] = (
            "beside properties or other patterns it is not sent; the answer is validated when complete"
        )
    for form in ("$ref", "anyOf", "oneOf"):
        beside = schema.keys() - NOTES - {form, "type", "discriminator"} if form in schema else set()
        found.update((word, f"beside {form} the grammar ignores it") for word in sorted(beside) if word not in found)
    if "enum" in schema and schema.keys() - NOTES - {"enum"} and not _allows_all(schema):
        found["enum"] = "the grammar allows values that the keywords beside it forbid"
    declared = schema.get("properties") or {}
    if any(name not in declared for name in schema.get("required") or ()) and "required" not in found:
        found["required"] = "a name in it is not a property, and the grammar ignores it"
    return found


def _are_disjoint(branches: list[Any]) -> bool:
    """Check whether no value can match two branches, by their types."""
    seen: set[str] = set()
    for branch in branches:
        types = branch.get("type") if isinstance(branch, Mapping) else None
        kinds = {types} if isinstance(types, str) else set(types or ())
        kinds = {"number" if kind == "integer" else kind for kind in kinds}
        if not kinds or kinds & seen:
            return False
        seen |= kinds
    return True


def _allows_all(schema: Mapping[str, Any]) -> bool:
    """Check whether the keywords beside an `enum` only give the type of all its values."""
    if schema.keys() - NOTES - {"enum", "type"}:
        return False
    return all(is_of_type(value, schema.get("type")) for value in schema["enum"])


def is_of_type(value: Any, types: Any) -> bool:
    """Check whether a value is of a schema's `type`, which is a name or a list of names."""
    wanted = (types,) if isinstance(types, str) else tuple(types or ())
    if type(value) is float and value.is_integer() and "integer" in wanted:
        return True
    return any(type(value) in JSON_TYPES.get(name, ()) for name in wanted)


JSON_TYPES = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
