"""The JSON in an answer with text around it."""

import pytest
from vllm_connect.response.json_extraction import extract_json


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('Sure!\n```json\n{"a": 1}\n```\nAnything else?', '{"a": 1}'),
        ('```\nno JSON\n```\n```json\n{"a": 2}\n```', '{"a": 2}'),
        ('```{"a": 1}```', '{"a": 1}'),
        ('The answer [sic] is {"a": [1]}, not {"a": 2}.', '{"a": [1]}'),
        ("It is {a}.", "It is {a}."),
        ("", ""),
    ],
)
def test_the_first_json_is_found_and_a_text_without_any_is_unchanged(text: str, found: str) -> None:
    assert extract_json(text) == found


def test_few_brackets_are_tried() -> None:
    assert extract_json("{" * 100 + '{"a": 1}') == "{" * 100 + '{"a": 1}'
