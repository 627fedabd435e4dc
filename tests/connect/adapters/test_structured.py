"""The constraint of a structured answer, and the explanation of an answer that does not match."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError
from vllm_connect import ConfigurationError, ConstraintError
from vllm_connect.adapters import (
    StructuredOutputError,
    is_response_format,
    json_schema_format,
    response_format,
    schema_name,
    strip_code_fence,
    structured_output_problem,
    validation_details,
)


class City(BaseModel):
    """A city."""

    name: str
    streets: list[str] = []


@pytest.mark.parametrize(
    ("title", "name"),
    [("City", "City"), ("A city (large)", "A_city__large_"), ("x" * 70, "x" * 64), ("Stra\u00dfe", "Stra_e"), ("", "")],
)
def test_a_schema_has_a_name_that_servers_accept(title: str, name: str) -> None:
    assert schema_name(title) == name


@pytest.mark.parametrize(("strict", "sent"), [(None, {}), (True, {"strict": True}), (False, {"strict": False})])
def test_a_json_schema_is_sent_with_its_name(strict: bool | None, sent: dict[str, bool]) -> None:
    schema = {"type": "object"}
    expected = {"type": "json_schema", "json_schema": {"name": "A_b", "schema": schema, **sent}}
    assert json_schema_format("A b", schema, strict=strict) == expected


def test_a_class_is_a_response_format() -> None:
    named = response_format(City, strict=True)["json_schema"]
    assert named == {"name": "City", "schema": City.model_json_schema(), "strict": True}


@pytest.mark.parametrize("kind", ["json_object", "json_schema", "structural_tag", "text"])
def test_a_response_format_is_returned_unchanged(kind: str) -> None:
    given_format = {"type": kind, "x": {"y": 1}}
    assert is_response_format(given_format)
    assert response_format(given_format) == given_format


@pytest.mark.parametrize(
    "value", [5, "City", {"type": "object"}, {"type": ["object", "null"]}, {}, int, City(name="a")]
)
def test_other_values_are_not_a_response_format(value: Any) -> None:
    assert not is_response_format(value)
    with pytest.raises(ConfigurationError, match="response_format must be a pydantic class or a dict with a type of"):
        response_format(value)


@given(
    st.text().filter(lambda text: "`" not in text), st.sampled_from(["```", "```json"]), st.sampled_from(["", "\n  "])
)
def test_a_code_fence_is_removed(text: str, fence: str, before: str) -> None:
    stripped = strip_code_fence(f"{before}{fence}\n{text}\n```")
    assert stripped.rstrip() == text.rstrip()
    assert strip_code_fence(stripped) == stripped


@pytest.mark.parametrize("text", ['{"a": 1}', "", "```", "```python\nx\n```", "`a`", "Sure:\n```json\n{}\n```"])
def test_text_without_a_json_code_fence_is_unchanged(text: str) -> None:
    assert strip_code_fence(text) == text


def test_a_code_fence_that_is_still_open_is_removed() -> None:
    assert strip_code_fence('```json\n{"a": ') == '{"a":'


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        ({"text": '{"a": ', "finish_reason": "length"}, "truncated", r"truncated .* complete City: raise max_tokens"),
        ({"text": "", "finish_reason": "length"}, "truncated", "raise max_tokens"),
        ({"text": " \n", "finish_reason": "stop"}, "empty", r"the answer is empty, expected City; ask again"),
        ({"text": "", "reasoning": "Hm."}, "empty", "all of it is reasoning: check .* --reasoning-parser"),
        ({"text": "Oslo"}, "schema", "does not match the schema of City: DETAILS; the server did not enforce"),
    ],
)
def test_an_answer_that_does_not_match_is_explained(problem: dict[str, Any], code: str, words: str) -> None:
    found = structured_output_problem("City", details="DETAILS", **problem)
    assert found.code == code
    error = StructuredOutputError(found.message, code=found.code)
    with pytest.raises(ConstraintError, match=words):
        raise error
    assert isinstance(error, ValueError)


def test_details_name_the_fields_and_have_no_value_of_the_answer() -> None:
    with pytest.raises(ValidationError) as caught:
        City.model_validate_json('{"name": 1, "streets": ["a", 424242]}')
    details = validation_details(caught.value)
    assert details == "name: Input should be a valid string; streets.1: Input should be a valid string"
    with pytest.raises(json.JSONDecodeError) as broken:
        json.loads("{")
    assert validation_details(broken.value) == str(broken.value)
