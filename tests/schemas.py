"""Random JSON schemas, with the keywords that people and pydantic write, and values for them."""

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "city", 'quo"te', "größe"])
SHORT = st.integers(0, 3)


@st.composite
def _strings(draw: st.DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "maxLength": draw(st.integers(1, 8))}
    kind = draw(st.sampled_from(["plain", "pattern", "format", "both"]))
    if kind == "plain" and draw(st.booleans()):
        schema["minLength"] = 1
    elif kind == "pattern":
        return {"type": "string", "pattern": draw(st.sampled_from(["^[ab]{1,4}$", r"^\d{2}-\d{2}$", "^x?y$", "b{2}"]))}
    elif kind == "format":
        return {"type": "string", "format": draw(st.sampled_from(["date", "uuid", "ipv4", "isbn", "byte"]))}
    elif kind == "both":
        return {**schema, "pattern": "^[ab]*$", "minLength": draw(SHORT)}
    return schema


@st.composite
def _numbers(draw: st.DrawFn) -> dict[str, Any]:
    low = draw(st.integers(-20, 20))
    schema: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"])), "minimum": low, "maximum": low + 30}
    if draw(st.integers(0, 4)) == 0:
        schema["multipleOf"] = draw(st.sampled_from([2, 5]))
    elif draw(st.integers(0, 4)) == 0:
        schema["maximum"] = 10**20
    elif draw(st.integers(0, 4)) == 0:
        schema["exclusiveMinimum"] = schema.pop("minimum")
    return schema


LEAVES = st.one_of(
    _strings(),
    _numbers(),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["boolean", "null"]}),
    st.just({"type": "boolean", "nullable": True}),
    st.sampled_from([{"const": 3}, {"const": "x"}, {"enum": [1, "a", None]}, {"enum": ["red", "blau"]}]),
    st.just({"type": "string", "enum": ["red", 4]}),
    st.just({"$ref": "#/$defs/Flag"}),
    st.just({"$ref": "#/$defs/Count", "minimum": 2}),
)


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    properties = draw(st.dictionaries(NAMES, inner, min_size=1, max_size=3))
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    schema["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    twist = draw(st.integers(0, 9))
    if twist == 0:
        schema["required"] = [*schema["required"], "undeclared"]
        schema["additionalProperties"] = {"type": "boolean"}
    elif twist == 1:
        schema.pop("additionalProperties")
        schema["anyOf"] = [{"properties": {"k": {"type": "null"}}, "required": ["k"]}, {"required": ["a"]}]
    elif twist == 2:
        schema["minProperties"] = 1
    return schema


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.builds(
        lambda items, most, unique: {"type": "array", "items": items, "maxItems": most, **unique},
        inner,
        st.integers(1, 3),
        st.sampled_from([{}, {}, {"uniqueItems": True}, {"minItems": 1}]),
    )
    several = st.lists(inner, min_size=1, max_size=2)
    unions = st.builds(
        lambda word, branches: {word: branches}, st.sampled_from(["anyOf", "anyOf", "oneOf", "allOf"]), several
    )
    noted = st.builds(lambda schema: {"title": "T", "description": "What it is.", **schema}, inner)
    return st.one_of(_objects(inner), _objects(inner), lists, unions, noted)


DEFINITIONS = {"Flag": {"type": "boolean"}, "Count": {"type": "integer", "maximum": 9, "minimum": 0}}

SCHEMAS = st.recursive(LEAVES, _containers, max_leaves=5).map(lambda schema: {**schema, "$defs": DEFINITIONS})
"""Schemas of JSON texts; some ask for what no value can be."""

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-30, 60),
        st.sampled_from([0.5, 2.0]),
        st.sampled_from(["", "a", "ab", "x", "y", "red", "bb", "12-34", "2026-11-21", "blau", "aaaaaaaaaa"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(NAMES, st.sampled_from(["k", "undeclared"])), inner, max_size=3),
    ),
    max_leaves=5,
)
