"""Conversion of bare text by the schema of its parameter."""

import json
from typing import Any

import pytest
from vllm_connect import OutputParser, fold
from vllm_connect.parsing.tool_schemas import Tools, schema_types

CASES: list[tuple[Any, str, Any]] = [
    ({"type": "string"}, "42", "42"),
    ({"type": "string"}, "true", "true"),
    ({"type": "string"}, " padded ", " padded "),
    ({"type": "integer"}, "42", 42),
    ({"type": "integer"}, "forty", "forty"),
    ({"type": "number"}, "3.5", 3.5),
    ({"type": "number"}, "3", 3),
    ({"type": "number"}, "nan", "nan"),
    ({"type": "number"}, "1e999", "1e999"),
    ({"type": "boolean"}, "True", True),
    ({"type": "boolean"}, "0", False),
    ({"type": "boolean"}, "maybe", "maybe"),
    ({"type": ["string", "null"]}, "null", None),
    ({"type": ["string", "null"]}, "x", "x"),
    ({"type": "object"}, '{"k": 1}', {"k": 1}),
    ({"type": "object"}, "[1]", [1]),
    ({"type": "integer"}, "null", None),
    ({"type": "boolean"}, "3", 3),
    ({"type": "array"}, "[1, 2]", [1, 2]),
    ({"type": "array"}, "1, 2", "1, 2"),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "7", 7),
    ({"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, "true", True),
    ({"allOf": [{"type": "array"}]}, "[]", []),
    ({"enum": ["a", "b"]}, "a", "a"),
    ({"enum": [1, 2]}, "1", 1),
    ({"const": None}, "null", None),
    ({"type": "int"}, "5", 5),
    ({"$ref": "#/$defs/N"}, "5", 5),
    ({"$ref": "#/$defs/Missing"}, "5", 5),
    ({}, "5", 5),
    ({}, "words", "words"),
    (True, "5", 5),
]


@pytest.mark.parametrize(("schema", "text", "value"), CASES)
def test_a_declared_parameter_is_converted(schema: Any, text: str, value: Any) -> None:
    parameters = {"properties": {"k": schema}, "$defs": {"N": {"type": "integer"}}}
    tools = Tools([{"type": "function", "function": {"name": "f", "parameters": parameters}}])
    found = json.loads(tools.coerced("f", "k", text))
    assert found == value
    assert type(found) is type(value)


def test_an_undeclared_parameter_is_json_if_it_can_be() -> None:
    tools = Tools([{"type": "function", "function": {"name": "f", "parameters": {"properties": {"k": {}}}}}])
    assert tools.coerced("f", "other", "5") == "5"
    assert tools.coerced("f", "other", "NaN") == '"NaN"'
    assert Tools(None).coerced("f", "k", "5") == '"5"'


def test_a_parameter_that_a_reference_or_union_declares() -> None:
    def coerced(parameters: dict[str, Any], key: str, text: str) -> str:
        tools = Tools([{"type": "function", "function": {"name": "f", "parameters": parameters}}])
        assert tools.has_parameter("f", "k") is ("k" in str(parameters))
        return tools.coerced("f", key, text)

    assert coerced({"type": "object", "additionalProperties": {"type": "string"}}, "other", "5") == '"5"'
    assert (
        coerced({"additionalProperties": {"type": "integer"}, "properties": {"k": {"type": "string"}}}, "k", "5")
        == '"5"'
    )
    assert coerced({"additionalProperties": True, "properties": {}}, "other", "5") == "5"
    inner = {"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"k": {"type": "string"}}}}}
    assert coerced(inner, "k", "5") == '"5"'
    assert coerced({"allOf": [{"required": []}, {"properties": {"k": {"type": "string"}}}]}, "k", "5") == '"5"'
    assert coerced({"properties": None}, "other", "5") == "5"


def test_a_schema_that_refers_to_itself_ends() -> None:
    root = {"$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "integer"}]}}}
    assert "integer" in schema_types({"$ref": "#/$defs/A"}, root)


def test_the_validation_error_of_a_call() -> None:
    tools = Tools(
        [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": ["x"]}}}]
    )
    assert tools.validation_error("f", '{"x": 1}') is None
    assert tools.validation_error("g", "{}") == "there is no tool 'g'"
    assert "required" in str(tools.validation_error("f", "{}"))
    assert "not valid JSON" in str(tools.validation_error("f", "{"))
    assert Tools(None).validation_error("anything", "{}") is None


DECLARED = [
    {"type": "function", "function": {"name": name, "parameters": {"properties": {"n": {"type": "integer"}}}}}
    for name in ("search", "tools.find", "functions")
]


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("search", "search"),
        ("tools.find", "tools.find"),
        ("functions", "functions"),
        ("functions.search", "search"),
        ("functions.tools.find", "functions.tools.find"),
        ("search<|channel|>commentary", "search"),
        ("search<|constrain|>json", "search"),
        ("functions.search:0", "search"),
        (" search", "search"),
        ("functions.find", "functions.find"),
        ("find<|channel|>commentary", "find<|channel|>commentary"),
        ("research", "research"),
        ("", ""),
    ],
)
def test_a_damaged_name_is_cleaned_if_a_declared_one_is_left(name: str, declared: str) -> None:
    assert Tools(DECLARED).declared_name(name) == declared
    assert Tools(None).declared_name(name) == name


@pytest.mark.parametrize("recover", [False, True])
@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("hermes", '<tool_call>{"name": "functions.search", "arguments": {"n": 1}}</tool_call>'),
        ("hermes", '<tool_call>{"name": "search<|channel|>commentary", "arguments": {"n": 1}}</tool_call>'),
        ("qwen3_coder", "<function=functions.search>\n<parameter=n>\n1\n</parameter>\n</function>"),
        ("glm45", "<tool_call>functions.search<arg_key>n</arg_key><arg_value>1</arg_value></tool_call>"),
        ("pythonic", "[functions.search(n=1)]"),
        ("openai", '<|channel|>commentary to=functions.functions.search<|message|>{"n": 1}<|call|>'),
    ],
)
def test_arguments_of_a_call_with_a_damaged_name_have_the_declared_types(
    format_: str, text: str, *, recover: bool
) -> None:
    parser = OutputParser(format_, None, DECLARED, recover=recover)
    answer = fold([*parser.push(text), *parser.finish()], tools=DECLARED)
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("search", {"n": 1})]
