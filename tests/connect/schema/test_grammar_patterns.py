"""Which regular expressions are sent."""

from typing import Any

import pytest
from vllm_connect import lint_schema
from vllm_connect.schema.grammar_patterns import is_supported_pattern
from vllm_connect.schema.rewrite import sendable_schema

READ = [
    "",
    "^[a-z]{2,4}$",
    r"^\d{3}-\d{4}$",
    r"^[\w.%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$",
    "^(?:a|b)+$",
    "(?P<x>a)",
    "^(?!x)[a-z]+$",
    r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$",
    "a{3,}b{0}c??",
    r"[^\D\-]",
    r"\x41\u0041",
    "größe",
]
REFUSED = [
    r"\bfoo\b",
    r"^(a)\1$",
    "^(?P<x>a)(?P=x)$",
    r"^\p{L}+$",
    "^(?i)abc$",
    "(?i:a)",
    "(?<=a)b",
    "(?<!a)b",
    "(?#c)a",
    "a{,3}",
    "{",
    "[]a]",
    "[^]a]",
    r"[\b]",
    r"\Aa\Z",
    r"\N{DASH}",
    "a{3,1}",
    "a{1,5000}",
    "(",
    "*a",
]


@pytest.mark.parametrize("pattern", READ)
def test_a_pattern_that_the_backend_reads_is_sent(pattern: str) -> None:
    assert is_supported_pattern(pattern)
    schema = {"type": "string", "pattern": pattern}
    assert sendable_schema({**schema, "maxLength": 3}) == schema


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_the_backend_refuses_is_not_sent_and_named(pattern: str) -> None:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern, "maxLength": 3}
    assert sendable_schema(schema) == {"type": "string", "maxLength": 3}
    assert "$.pattern" in [finding.path for finding in lint_schema(schema)]
    names = {"type": "object", "patternProperties": {pattern: {"type": "integer"}}, "additionalProperties": False}
    assert sendable_schema(names) == {"type": "object"}


@pytest.mark.parametrize(("pattern", "named"), [("^(?=.*a)b", True), ("^a$", False)])
def test_a_lookahead_is_named(pattern: str, named: bool) -> None:
    assert bool(lint_schema({"type": "string", "pattern": pattern})) is named


def test_a_long_pattern_takes_linear_time() -> None:
    assert not is_supported_pattern("[a" * 20_000)
    assert is_supported_pattern("[a]b{2}" * 2_000)
