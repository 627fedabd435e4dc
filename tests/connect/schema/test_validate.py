"""Whether a value fits a schema."""

import socket
from typing import Any

import pytest
from vllm_connect.parsing.output_parser import parse_output
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.schema.validate import SchemaError, find_violation


@pytest.mark.parametrize(
    ("value", "schema", "problem"),
    [
        (1, {}, None),
        ({"n": 1}, {"properties": {"n": {"type": "integer"}}}, None),
        ({"n": "secret"}, {"properties": {"n": {"type": "integer"}}}, "$.n violates type"),
        ([1, 2], {"items": {"maximum": 1}}, "$[1] violates maximum"),
        (None, {"type": "string", "nullable": True}, None),
        (None, {"type": "string"}, "$ violates type"),
        (1, {"type": "string", "nullable": True}, "$ violates type"),
        ({"next": {"next": {}}}, {"properties": {"next": {"$ref": "#"}}, "type": "object"}, None),
        ({"next": {"next": 1}}, {"properties": {"next": {"$ref": "#"}}, "type": "object"}, "$.next.next violates type"),
        ("x", {"$schema": "http://json-schema.org/draft-07/schema#", "const": "y"}, "$ violates const"),
    ],
)
def test_a_violation_is_named_and_its_value_is_not_shown(
    value: Any, schema: dict[str, Any], problem: str | None
) -> None:
    assert find_violation(value, schema) == problem


BROKEN: list[dict[str, Any]] = [
    {"type": "bogus"},
    {"properties": 3},
    {"$ref": "#/$defs/nowhere"},
    {"$ref": "https://example.com/schema.json"},
    {"$ref": "#"},
]


@pytest.mark.parametrize("schema", BROKEN, ids=str)
def test_a_schema_that_is_none_is_said_to_be_none(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        find_violation({"a": 1}, schema)


@pytest.mark.parametrize("schema", BROKEN, ids=str)
def test_a_parser_survives_a_schema_that_is_none(schema: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    assert Tools(tools).validation_error("f", '{"a": 1}')
    text = '{"name": "f", "parameters": {"a": 1}}'
    assert parse_output(text, tool_parser="llama3_json", tools=tools).text == text


def test_no_reference_is_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        with pytest.raises(SchemaError, match="refers to"):
            find_violation(1, {"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"})
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", "^(?i)abc$", "(?<x>a)"])
def test_a_pattern_of_another_dialect_is_left_to_the_server(pattern: str) -> None:
    assert find_violation("1", {"type": "string", "pattern": pattern}) is None
    assert find_violation(1, {"type": "string", "pattern": pattern}) == "$ violates type"
    assert find_violation({"1": 1}, {"patternProperties": {pattern: False}}) is None


def test_patterns_are_tried_within_bounds() -> None:
    assert find_violation("ab", {"pattern": "^b"}) == "$ violates pattern"
    assert find_violation("a" * 60 + "!", {"pattern": "^(a+)+$"}) is None
    assert find_violation("a" * 30, {"pattern": "^" + "a*" * 6 + "b$"}) is None
    assert find_violation("a" * 30, {"pattern": "^a*a*b$"}) == "$ violates pattern"
    assert find_violation({"a" * 60 + "!": 1}, {"patternProperties": {"^(a+)+$": False}}) is None
