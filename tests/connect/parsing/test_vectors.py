"""Every vector: whole, character by character, at every two-way split, at random splits; and no prefix of it is executed."""

import random

import pytest

from tests.connect.parsing.vectors import ALL, Vector, parse, summary

EVERY = pytest.mark.parametrize("vector", ALL, ids=[vector.name for vector in ALL])


@EVERY
def test_the_whole_text(vector: Vector) -> None:
    assert summary(parse(vector, [vector.text])) == (vector.calls, vector.content, 0)


@EVERY
def test_character_by_character(vector: Vector) -> None:
    assert summary(parse(vector, list(vector.text))) == (vector.calls, vector.content, 0)


@EVERY
def test_at_every_split(vector: Vector) -> None:
    expected = (vector.calls, vector.content, 0)
    for at in range(1, len(vector.text)):
        assert summary(parse(vector, [vector.text[:at], vector.text[at:]])) == expected


@EVERY
def test_at_random_splits(vector: Vector) -> None:
    source = random.Random(vector.name)  # noqa: S311 - splits, not secrets
    for _ in range(10):
        cuts = sorted(source.sample(range(len(vector.text) + 1), min(6, len(vector.text))))
        ends = [*cuts, len(vector.text)]
        pieces = [vector.text[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
        assert summary(parse(vector, pieces)) == (vector.calls, vector.content, 0)


@EVERY
def test_no_prefix_executes_anything_else(vector: Vector) -> None:
    for end in range(len(vector.text)):
        calls, _, _ = summary(parse(vector, [vector.text[:end]]))
        assert calls == vector.calls[: len(calls)]
