"""What was asked of an answer is held against it: schemas, choices, patterns, forced calls."""

import json
from typing import Any

import pytest
from vllm_connect import (
    ChatRequest,
    Completion,
    ConfigurationError,
    ConstraintError,
    InvalidToolCall,
    ToolCall,
    lint_schema,
)
from vllm_connect.chat.validation import is_validated, validate_answer
from vllm_connect.schema.rewrite import rewrite_schema

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
STRICT = {"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}


def asked(**fields: Any) -> ChatRequest:
    return ChatRequest(messages=[{"role": "user", "content": "Hi"}], **fields).normalized()


def text(said: str, finish: str = "stop", reasoning: str = "") -> Completion:
    return Completion(text=said, reasoning=reasoning, finish_reason=finish)


def call(arguments: str, name: str = "f") -> Completion:
    return Completion(tool_calls=(ToolCall("a", name, arguments),), finish_reason="tool_calls")


AS_FORMAT = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}}
AS_STRUCTURED = {"structured_outputs": {"json": SCHEMA}}
AS_TEXT = {"structured_outputs": {"json": json.dumps(SCHEMA)}}
ANY_OBJECT = {"response_format": {"type": "json_object"}}
CHOICE = {"structured_outputs": {"choice": ["yes", "no"]}}
REGEX = {"structured_outputs": {"regex": r"[a-z]+\d"}}
FORCED = {"tools": [TOOL], "tool_choice": "required"}
NAMED = {"tools": [TOOL], "tool_choice": "f"}

VALID: list[tuple[dict[str, Any], Completion]] = [
    (AS_FORMAT, text('{"n": 1}')),
    (AS_STRUCTURED, text('\n\n{"n": 1}')),
    (AS_TEXT, text('{"n": 1}')),
    (ANY_OBJECT, text("{}")),
    ({"structured_outputs": {"json_object": True}}, text("{}")),
    (CHOICE, text("yes")),
    (CHOICE, text("\nno")),
    (REGEX, text("abc1")),
    (FORCED, call('{"n": 1}')),
    (NAMED, call('{"n": 1}')),
    ({"tools": [STRICT]}, call('{"n": 1}')),
    ({"tools": [TOOL]}, call("{}")),
    ({"tools": [STRICT]}, text("Hello.")),
    ({"tools": [TOOL], **AS_FORMAT}, call("{}")),
    ({"structured_outputs": {"grammar": "root ::= x"}}, text("anything")),
    ({}, text("anything")),
]
VIOLATED: list[tuple[dict[str, Any], Completion, str]] = [
    (AS_FORMAT, text("Prose."), "not JSON"),
    (AS_FORMAT, text(""), "empty"),
    (AS_FORMAT, text("", reasoning='{"n": 1}'), "--reasoning-parser"),
    (AS_FORMAT, text('{"n": "x"}'), r"\$\.n violates type"),
    (AS_STRUCTURED, text("{}"), "violates required"),
    (AS_TEXT, text('{"n": NaN}'), "not JSON"),
    (ANY_OBJECT, text("[]"), "violates type"),
    (CHOICE, text("maybe"), "not one of the choices"),
    (REGEX, text("abc"), "does not match"),
    (FORCED, text("Prose."), "a tool call was requested"),
    (FORCED, call("{}"), "violates required"),
    (NAMED, call("{}", "g"), "a call of 'f'"),
    ({"tools": [STRICT]}, call("{}"), "strict"),
    (
        FORCED,
        Completion(invalid_tool_calls=(InvalidToolCall("a", "f", "true", "a boolean"),), finish_reason="stop"),
        "is invalid",
    ),
]
TRUNCATED: list[tuple[dict[str, Any], Completion]] = [
    (AS_FORMAT, text('{"n": ', "length")),
    (AS_FORMAT, text("", "length", "Hm")),
    (CHOICE, text("ye", "length")),
    (FORCED, text("<tool_", "length")),
]


@pytest.mark.parametrize(("fields", "answer"), VALID)
def test_an_answer_that_satisfies_its_constraints_is_valid(fields: dict[str, Any], answer: Completion) -> None:
    validate_answer(asked(**fields), answer)


@pytest.mark.parametrize(("fields", "answer", "why"), VIOLATED)
def test_a_violation_names_the_constraint_and_keeps_the_answer(
    fields: dict[str, Any], answer: Completion, why: str
) -> None:
    assert is_validated(asked(**fields))
    assert not is_validated(asked(**fields, check_constraints=False))
    with pytest.raises(ConstraintError, match=why) as caught:
        validate_answer(asked(**fields), answer)
    assert caught.value.partial is answer
    assert answer.text.strip() not in str(caught.value) or not answer.text.strip()


@pytest.mark.parametrize(("fields", "answer"), TRUNCATED)
def test_a_truncated_answer_is_reported_as_truncated(fields: dict[str, Any], answer: Completion) -> None:
    with pytest.raises(ConstraintError, match="max_tokens") as caught:
        validate_answer(asked(**fields), answer)
    assert (caught.value.code, caught.value.partial) == ("truncated", answer)


@pytest.mark.parametrize("said", ["\n" * 40, "{" + " \n" * 30, "[\n\n" + "\t" * 40])
def test_an_answer_of_whitespace_names_the_reasoning_parser_and_not_max_tokens(said: str) -> None:
    with pytest.raises(ConstraintError, match="--reasoning-parser") as caught:
        validate_answer(asked(**AS_FORMAT), text(said, "length"))
    assert "max_tokens" not in str(caught.value)


def test_a_pattern_of_exponential_time_is_not_run() -> None:
    for pattern in ("(a+)+$", "(a|a)*$", "((ab)*c)*d", "(?:a*)*b"):
        validate_answer(asked(structured_outputs={"regex": pattern}), text("a" * 5_000 + "b"))  # or never end


def test_a_pattern_of_another_dialect_is_left_to_the_server() -> None:
    validate_answer(asked(structured_outputs={"regex": r"\p{Lu}[a-z]("}), text("Ab"))


def test_an_invalid_schema_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="schema"):
        validate_answer(asked(structured_outputs={"json": {"type": "nothing"}}), text("{}"))


def test_unsupported_keywords_are_named_with_their_paths() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "multipleOf": 5},
            "l": {"type": "array", "uniqueItems": True, "items": {"type": "string", "pattern": "a", "maxLength": 3}},
        },
        "anyOf": [{"not": {"required": ["n"]}}],
        "$defs": {"d": {"type": ["object", "null"], "minProperties": 1}, "e": {"$ref": "https://example.org/e"}},
    }
    assert [finding.path for finding in lint_schema(schema)] == [
        "$.properties",
        "$.properties.n.multipleOf",
        "$.properties.l.uniqueItems",
        "$.properties.l.items.maxLength",
        "$.$defs.d.minProperties",
        "$.$defs.e.$ref",
        "$.anyOf[0].not",
        "$.anyOf[0].not.required",
    ]
    assert lint_schema(SCHEMA) == []
    numbers = {"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 5}}}
    with pytest.raises(ConstraintError, match=r"grammars do not enforce \$\.properties\.n\.multipleOf"):
        validate_answer(asked(structured_outputs={"json": numbers}), text('{"n": 7}'))


def test_schemas_are_rewritten_in_keywords_that_every_backend_supports() -> None:
    schema = {
        "properties": {
            "a": {"const": 1},
            "b": {"type": "string", "nullable": True},
            "c": {"allOf": [{"$ref": "#/$defs/d"}]},
        }
    }
    before = json.dumps(schema)
    assert rewrite_schema(schema) == {
        "properties": {"a": {"enum": [1]}, "b": {"type": ["string", "null"]}, "c": {"$ref": "#/$defs/d"}}
    }
    assert json.dumps(schema) == before
    body = asked(structured_outputs={"json": schema}).body()
    assert body["structured_outputs"]["json"]["properties"]["a"] == {"enum": [1]}


@pytest.mark.parametrize(
    ("older", "now"),
    [
        ({"guided_json": SCHEMA}, {"json": SCHEMA}),
        ({"guided_regex": "a"}, {"regex": "a"}),
        ({"guided_choice": ["a"]}, {"choice": ["a"]}),
        ({"guided_grammar": "a"}, {"grammar": "a"}),
        ({"guided_json": SCHEMA, "guided_whitespace_pattern": " "}, {"json": SCHEMA, "whitespace_pattern": " "}),
        ({"extra_body": {"guided_choice": ["a"], "guided_decoding_backend": "outlines"}}, {"choice": ["a"]}),
    ],
)
def test_older_names_are_translated_with_a_warning(older: dict[str, Any], now: dict[str, Any]) -> None:
    with pytest.warns(DeprecationWarning, match="structured_outputs"):
        request = asked(**older)
    assert request.body()["structured_outputs"] == now
    assert not any(name.startswith("guided") for name in request.body())
    body = request.body((0, 10, 2))
    assert "structured_outputs" not in body
    assert any(name.startswith("guided") for name in body)


def test_a_name_that_is_none_of_them_is_refused() -> None:
    with pytest.raises(ValueError, match=r"structured_outputs=.*json"):
        asked(extra_body={"guided_jsn": SCHEMA})
