"""Values that are written as bare text are validated like JSON arguments, in every format."""

import json
from typing import Any

import pytest
from vllm_connect import Completion, find_format, parse_output

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, TAG_FORMATS

KINDS = {
    "s": "string",
    "i": "integer",
    "f": "number",
    "b": "boolean",
    "a": "array",
    "o": "object",
    "n": ["string", "null"],
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {key: {"type": kind} for key, kind in KINDS.items()}},
        },
    }
]
TYPED_BY_SCHEMA = [
    name
    for name in (*TAG_FORMATS, *ELEMENTS)
    if not name.startswith("deepseek") and name not in ("gemma4", "functiongemma", "kimi_k3")
]
"""Formats whose tags do not declare a value's type."""

INVALID: list[tuple[str, str, str]] = [
    ("o", '{"k": 1, "k": 2}', "key 'k' twice"),
    ("o", '{"x": {"k": 1, "k": 1}}', "key 'k' twice"),
    ("a", '[{"k": 1, "k": 2}]', "key 'k' twice"),
    ("o", '{"k": NaN}', "have NaN"),
    ("a", "[1, -Infinity]", "have -Infinity"),
    ("a", "[1e999]", "too large for a float"),
    ("a", "[" * 200 + "]" * 200, "nested deeper than 128"),
    ("a", "[" * 100_000, "nested deeper than 128"),
    ("i", "7" * 5000, "cannot be represented"),
    ("f", "7" * 5000, "cannot be represented"),
    ("a", "[" + "7" * 5000 + "]", "cannot be represented"),
    ("o", r'{"k": "\ud83c"}', "lone surrogate"),
    ("undeclared", '{"k": 1, "k": 2}', "key 'k' twice"),
    ("undeclared", '{"k": NaN}', "have NaN"),
]

KEPT: list[tuple[str, str, Any]] = [
    ("s", '{"k": 1, "k": 2}', '{"k": 1, "k": 2}'),
    ("s", "NaN", "NaN"),
    ("s", "7" * 5000, "7" * 5000),
    ("n", "None", "None"),
    ("n", "none", "none"),
    ("n", "Null", "Null"),
    ("n", "null", None),
    ("i", "1_000", "1_000"),
    ("i", "\uff11", "\uff11"),
    ("i", "\xa01", "\xa01"),
    ("i", "+1", "+1"),
    ("i", "007", "007"),
    ("i", "-0", 0),
    ("i", " 42 ", 42),
    ("i", "5.0", 5.0),
    ("i", "1e2", 100.0),
    ("i", "9007199254740993", 9007199254740993),
    ("f", "1_0.5", "1_0.5"),
    ("f", ".5", ".5"),
    ("f", "5.", "5."),
    ("f", "inf", "inf"),
    ("f", "-Infinity", "-Infinity"),
    ("f", "nan", "nan"),
    ("f", "NaN", "NaN"),
    ("f", "1e999", "1e999"),
    ("f", "\uff11.5", "\uff11.5"),
    ("f", "0.1", 0.1),
    ("f", "7" * 400, int("7" * 400)),
    ("i", "-" + "7" * 400, -int("7" * 400)),
    ("f", "1E-2", 0.01),
    ("f", "9007199254740993", 9007199254740993),
    ("b", "TRUE", True),
    ("o", "{'k': 1}", "{'k': 1}"),
    ("o", "words", "words"),
]


def read(name: str, key: str, text: str) -> Completion:
    return parse_output({**TAG_FORMATS, **ELEMENTS}[name]([("f", {key: text})]), name, None, TOOLS)


@pytest.mark.parametrize(
    ("name", "key", "text", "reason"),
    [
        pytest.param(name, *case, id=f"{name} {case[0]} {case[1][:20]}")
        for name in TYPED_BY_SCHEMA
        for case in INVALID
        if name not in ELEMENTS or case[0] != "undeclared"  # an element without a schema is text
    ],
)
def test_invalid_json_in_a_value_makes_the_call_invalid(name: str, key: str, text: str, reason: str) -> None:
    answer = read(name, key, text)
    assert answer.tool_calls == ()
    (call,) = answer.invalid_tool_calls
    assert reason in call.error
    assert text in call.arguments


@pytest.mark.parametrize("name", TYPED_BY_SCHEMA)
@pytest.mark.parametrize(("key", "text", "value"), KEPT, ids=[f"{key} {text[:20]}" for key, text, _ in KEPT])
def test_a_value_of_another_type_stays_text(name: str, key: str, text: str, value: Any) -> None:
    answer = read(name, key, text)
    assert answer.invalid_tool_calls == ()
    (call,) = answer.tool_calls
    assert call.parsed() == {key: value}
    assert type(call.parsed()[key]) is type(value)


@pytest.mark.parametrize("name", ["deepseek_v32", "deepseek_v4", "deepseek_v41", "kimi_k3"])
@pytest.mark.parametrize("text", ['{"k": 1, "k": 2}', "NaN", "[Infinity]", "7" * 5000, "[" * 200 + "]" * 200])
def test_a_value_declared_as_json_is_validated(name: str, text: str) -> None:
    rendered = TAG_FORMATS[name]([("f", {"o": text})])
    assert parse_output(rendered, name).tool_calls[0].parsed() == {"o": text}
    answer = parse_output(rendered.replace('string="true"', 'string="false"').replace('"string"', '"object"'), name)
    assert answer.tool_calls == ()
    assert text in answer.invalid_tool_calls[0].arguments


@pytest.mark.parametrize("name", ["gemma4", "functiongemma"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{k:1,k:2}", "key 'k' twice"),
        ("{k:[{j:1,j:2}]}", "key 'j' twice"),
        ("{k:1e999}", "too large for a float"),
        ("[" * 200 + "]" * 200, ""),
        ("7" * 5000, "cannot be represented"),
        ("[" + "7" * 5000 + "]", "cannot be represented"),
    ],
)
def test_invalid_values_in_braces(name: str, text: str, reason: str) -> None:
    rendered = TAG_FORMATS[name]([("f", {"o": 0})]).replace("<escape>", "").replace("o:0", f"o:{text}")
    answer = parse_output(rendered, name)
    assert answer.tool_calls == ()
    assert reason in answer.invalid_tool_calls[0].error
    doubled = rendered.replace(f"o:{text}", "o:1,o:2")
    assert "key 'o' twice" in parse_output(doubled, name).invalid_tool_calls[0].error


@pytest.mark.parametrize("name", ["pythonic", "llama4_pythonic", "olmo3", "lfm2"])
@pytest.mark.parametrize(
    "text", ["{'k': 1, 'k': 2}", "[{'k': 1, 'k': 1}]", "1e999", "[-1e999]", "1, o=2", "'\\ud83c'", "[" * 80 + "]" * 80]
)
def test_invalid_python_literals(name: str, text: str) -> None:
    rendered = JSON_FORMATS[name]([("f", {"o": 0})]).replace("o=0", f"o={text}")
    answer = parse_output(rendered, name)
    assert answer.tool_calls == ()
    if find_format(name).unambiguous:
        assert len(answer.invalid_tool_calls) == 1
    else:
        assert f"f(o={text})" in answer.text


def test_a_number_keeps_its_digits() -> None:
    text = TAG_FORMATS["qwen3_coder"]([("f", {"f": "1.50", "i": "12345678901234567890", "a": "[1.0,  2]"})])
    (call,) = parse_output(text, "qwen3_coder", None, TOOLS).tool_calls
    assert call.arguments == '{"f": 1.50, "i": 12345678901234567890, "a": [1.0,  2]}'
    assert json.loads(call.arguments) == call.parsed()
