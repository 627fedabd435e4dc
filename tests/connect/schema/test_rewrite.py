"""What is sent means what was asked, as far as a server takes it, and the rest is named."""

import copy
from datetime import date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from pydantic import AnyUrl, BaseModel, Field, HttpUrl, SecretStr
from vllm_connect import lint_schema
from vllm_connect.schema.rewrite import rewrite_schema, sendable_schema, with_null_as_type
from vllm_connect.schema.supported import FORMATS, PROPERTY_KEYWORDS

from tests.schemas import SCHEMAS, VALUES

A = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
B = {"properties": {"b": {"type": "null"}}, "required": ["b"]}
AB = {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}}, "required": ["a", "b"]}
COUNT = {"Count": {"type": "integer", "maximum": 9}}


def fits(schema: Any, value: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, VALUES)
def test_the_same_values_fit(schema: dict[str, Any], value: Any) -> None:
    meant = with_null_as_type(schema)
    before = copy.deepcopy(schema)
    assert fits(rewrite_schema(schema), value) == fits(meant, value)
    assert fits(sendable_schema(schema), value) or not fits(meant, value)
    assert schema == before


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"allOf": [A, B]}, AB),
        ({"allOf": [{"type": "string"}, {"enum": ["yes", "no"]}]}, {"type": "string", "enum": ["yes", "no"]}),
        ({**A, "anyOf": [B]}, {"anyOf": [AB]}),
        ({"$ref": "#/$defs/Count", "minimum": 2, "$defs": COUNT}, {"$defs": COUNT, "minimum": 2, **COUNT["Count"]}),
        ({"type": "object", "required": ["a"]}, {"type": "object", "required": ["a"], "properties": {"a": {}}}),
        (
            {"allOf": [{"$ref": "#/$defs/Count"}, {"minimum": 2}], "$defs": COUNT},
            {"minimum": 2, **COUNT["Count"], "$defs": COUNT},
        ),
        ({"const": 1}, {"enum": [1]}),
        ({"type": ["string", "null"], "enum": ["a", 1, None, True]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "integer", "enum": [1, 2.0, 2.5, True]}, {"type": "integer", "enum": [1, 2.0]}),
    ],
)
def test_what_no_grammar_joins_is_joined(schema: dict[str, Any], said: dict[str, Any]) -> None:
    assert lint_schema(schema) or "const" in schema
    assert rewrite_schema(schema) == said
    assert [f.keyword for f in lint_schema(said)] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{**A, "additionalProperties": False}, B]},
        {"allOf": [{"minimum": 1}, {"minimum": 2}]},
        {"$ref": "#/$defs/Tree", "minProperties": 1, "$defs": {"Tree": {"items": {"$ref": "#/$defs/Tree"}}}},
        {"type": "object", "required": ["a"], "additionalProperties": False},
        {"$ref": "https://example.org/schema", "type": "object"},
        {
            "allOf": [{"$ref": "#/$defs/Tree"}, {"type": "array"}],
            "$defs": {"Tree": {"items": {"$ref": "#/$defs/Tree"}}},
        },
    ],
)
def test_what_cannot_be_joined_is_left_and_named(schema: dict[str, Any]) -> None:
    assert rewrite_schema(schema) == schema
    assert lint_schema(schema)


@pytest.mark.parametrize(
    ("schema", "sent", "keyword"),
    [
        ({"type": "array", "uniqueItems": True, "items": {}}, {"type": "array", "items": {}}, "uniqueItems"),
        ({"type": "array", "contains": {"const": 1}}, {"type": "array"}, "contains"),
        ({"type": "string", "format": "isbn"}, {"type": "string"}, "format"),
        ({"type": "integer", "maximum": 2**63}, {"type": "integer"}, "maximum"),
        (
            {"oneOf": [{"type": "array", "uniqueItems": True}, {"type": "null"}]},
            {"anyOf": [{"type": "array"}, {"type": "null"}]},
            "uniqueItems",
        ),
    ],
)
def test_what_a_server_refuses_is_not_sent_and_named(
    schema: dict[str, Any], sent: dict[str, Any], keyword: str
) -> None:
    assert sendable_schema(schema) == sent
    assert keyword in [finding.keyword for finding in lint_schema(schema)]


@pytest.mark.parametrize("keyword", ["not", "if", "then", "else"])
def test_an_unsupported_keyword_under_a_negation_removes_the_negation(keyword: str) -> None:
    assert sendable_schema({"type": "array", keyword: {"uniqueItems": True}}) == {"type": "array"}
    kept = {"type": "string", keyword: {"enum": ["a"]}}
    assert sendable_schema(kept) == kept


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
NAMES = {"pattern": "^a", "maxLength": 3}
PATTERNS = {"^a": TEXT}


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({"type": "integer", "multipleOf": 2, "minimum": 0}, {"type": "integer", "minimum": 0}),
        ({**TEXT, "pattern": "^a", "minLength": 1, "maxLength": 3}, {**TEXT, "pattern": "^a"}),
        ({**TEXT, "format": "uri", "maxLength": 2083, "minLength": 1}, {**TEXT, "format": "uri"}),
        ({**TEXT, "format": "isbn", "maxLength": 3}, {**TEXT, "maxLength": 3}),
        ({**TEXT, "maxLength": 3}, {**TEXT, "maxLength": 3}),
        ({"type": "object", "propertyNames": NAMES}, {"type": "object", "propertyNames": {"pattern": "^a"}}),
        (
            {"type": "object", "properties": {"a": TEXT}, "propertyNames": {"pattern": "^a"}},
            {"type": "object", "properties": {"a": TEXT}},
        ),
        ({"type": "object", "patternProperties": PATTERNS}, {"type": "object", "patternProperties": PATTERNS}),
        (
            {
                "type": "object",
                "properties": {"b": NUMBER},
                "patternProperties": PATTERNS,
                "additionalProperties": False,
            },
            {"type": "object", "properties": {"b": NUMBER}},
        ),
        (
            {"type": "object", "patternProperties": {**PATTERNS, "^b": NUMBER}, "additionalProperties": False},
            {"type": "object"},
        ),
        (
            {"type": "object", "allOf": [{"contains": TEXT}, {"contains": NUMBER}], "unevaluatedProperties": False},
            {"type": "object"},
        ),
        ({"properties": {"a": {"multipleOf": 3}}}, {"properties": {"a": {}}}),
    ],
)
def test_what_the_backend_does_not_support_is_not_sent(schema: dict[str, Any], sent: dict[str, Any]) -> None:
    assert sendable_schema(schema) == sent


def unsupported(schema: Any) -> bool:
    """Check for what makes vLLM choose another backend than xgrammar, anywhere in a schema."""
    if isinstance(schema, list):
        return any(map(unsupported, schema))
    if not isinstance(schema, dict):
        return False
    types = schema.get("type")
    kinds = {types} if isinstance(types, str) else set(types) if isinstance(types, list) else set()
    lengths = not {"minLength", "maxLength"}.isdisjoint(schema)
    names, patterns = schema.get("propertyNames"), schema.get("patternProperties")
    return (
        bool(kinds & {"integer", "number"} and "multipleOf" in schema)
        or ("array" in kinds and not {"uniqueItems", "contains", "minContains", "maxContains"}.isdisjoint(schema))
        or ("string" in kinds and schema.get("format", "date") not in FORMATS)
        or ("string" in kinds and lengths and not {"pattern", "format"}.isdisjoint(schema))
        or ("object" in kinds and names is not None and not PROPERTY_KEYWORDS.isdisjoint(schema))
        or ("object" in kinds and patterns is not None and ("properties" in schema or len(patterns) > 1))
        or len(schema.get("allOf") or ()) > 1
        or any(map(unsupported, schema.values()))
    )


class Pydantic(BaseModel):
    """The types that pydantic gives constraints that a grammar may not support."""

    even: int = Field(multiple_of=2)
    tenth: float = Field(multiple_of=0.1)
    code: str = Field(pattern="^[a-z]+$", min_length=2, max_length=4)
    url: HttpUrl
    any_url: AnyUrl
    tags: set[Literal["a", "b"]]
    frozen: frozenset[int]
    named: dict[Annotated[str, Field(pattern="^a", max_length=3)], int]
    day: date
    at: datetime
    took: timedelta
    id: UUID
    price: Decimal = Field(multiple_of=0.25, max_digits=5)
    address: IPv4Address | IPv6Address
    network: IPv4Network
    path: Path
    data: bytes = Field(min_length=1, max_length=3)
    secret: SecretStr = Field(min_length=1)
    pair: tuple[int, str]
    maybe: Annotated[str, Field(pattern="b", min_length=1)] | None
    nested: "list[Pydantic]" = Field(min_length=1)


@pytest.mark.parametrize("name", Pydantic.model_fields)
def test_every_type_of_pydantic_is_sent_as_xgrammar_supports_it(name: str) -> None:
    schema = Pydantic.model_json_schema()
    one = {
        "type": "object",
        "properties": {name: schema["$defs"]["Pydantic"]["properties"][name]},
        "$defs": schema["$defs"],
    }
    sent = sendable_schema(one)
    assert not unsupported(sent)
    assert name in sent["properties"]


@given(SCHEMAS)
def test_no_schema_is_sent_with_what_xgrammar_does_not_support(schema: dict[str, Any]) -> None:
    assert not unsupported(sendable_schema(schema))


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ({"pattern": "a"}, ["$.pattern"]),
        ({"type": "string", "enum": ["a", 1]}, ["$.enum"]),
        ({"type": "string", "enum": ["a"]}, []),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, ["$.oneOf"]),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, []),
        ({"oneOf": [{"type": "object"}, {"type": "object"}]}, ["$.oneOf"]),
        ({"oneOf": [{"type": "object"}, {"type": "object"}], "discriminator": {"propertyName": "kind"}}, []),
        ({"properties": {"d": {"$ref": "#/$defs/Count", "description": "How many."}}}, []),
        ({"anyOf": [{"type": "string"}], "minLength": 2}, ["$.minLength"]),
    ],
)
def test_the_linter_names_paths(schema: dict[str, Any], paths: list[str]) -> None:
    assert [finding.path for finding in lint_schema(schema)] == paths


def test_nullable_is_a_type() -> None:
    assert rewrite_schema({"type": "string", "nullable": True}) == {"type": ["string", "null"]}
    assert rewrite_schema({"items": {"type": "integer", "nullable": False}})["items"]["type"] == "integer"
