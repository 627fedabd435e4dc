"""JSON that is still being written is parsed as far as it goes, in linear time."""

from typing import Any

import pytest
from vllm_connect.adapters import PartialObject, parse_partial


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"city": "Tok', {"city": "Tok"}),
        ('{"city": "Tokyo", "po', {"city": "Tokyo"}),
        ('[1, {"a": tr', [1, {}]),
        ("{", {}),
        ('{"a": 1}', {"a": 1}),
        ("", None),
        ("12", None),
        ('"a', None),
        ("nonsense", None),
        ("{a: 1}", None),
    ],
)
def test_the_beginning_of_an_object_or_array_is_parsed(text: str, value: Any) -> None:
    assert parse_partial(text) == value


def test_a_growing_object_is_updated() -> None:
    partial = PartialObject()
    assert partial.update('{"a": "x')
    first = partial.value
    assert partial.update('{"a": "xy"}')
    assert (first, partial.value) == ({"a": "x"}, {"a": "xy"})


def test_a_growing_object_is_parsed_in_linear_time() -> None:
    text = '{"text": "' + "word " * 20_000 + '"}'
    partial = PartialObject()
    parsed = sum(end for end in range(1, len(text) + 1, 5) if partial.update(text[:end]))
    assert parsed < 40 * len(text)
    assert not partial.update(text[:-1])


@pytest.mark.parametrize("text", ["", "[", "[1]", "nonsense", "{a: 1}"])
def test_text_that_is_not_an_object_changes_nothing(text: str) -> None:
    partial = PartialObject()
    assert not partial.update(text)
    assert partial.value == {}
