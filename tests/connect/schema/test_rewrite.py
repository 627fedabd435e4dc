"""What is sent means what was asked, as far as a server takes it, and the rest is named."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from vllm_connect import lint_schema
from vllm_connect.schema.rewrite import rewrite_schema, sendable_schema, with_null_as_type

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


def test_less_is_not_asked_within_what_must_not_be() -> None:
    schema = {"type": "array", "not": {"uniqueItems": True}}
    assert sendable_schema(schema) == schema


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ({"pattern": "a"}, ["$.pattern"]),
        ({"type": "string", "enum": ["a", 1]}, ["$.enum"]),
        ({"type": "string", "enum": ["a"]}, []),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, ["$.oneOf"]),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, []),
        ({"properties": {"d": {"$ref": "#/$defs/Count", "description": "How many."}}}, []),
        ({"anyOf": [{"type": "string"}], "minLength": 2}, ["$.minLength"]),
    ],
)
def test_the_linter_names_paths(schema: dict[str, Any], paths: list[str]) -> None:
    assert [finding.path for finding in lint_schema(schema)] == paths
