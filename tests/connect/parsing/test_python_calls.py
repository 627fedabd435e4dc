"""Python literals as models write them: newlines, backslashes and commas that Python allows and does not allow."""

import warnings
from typing import Any

import pytest
from vllm_connect import parse_output

VALUES: list[tuple[str, Any]] = [
    ("[1,\n 2]", [1, 2]),
    ("{\n  'k': 'v',\r\n  'l': [\n    1\n  ]\n}", {"k": "v", "l": [1]}),
    ("'x\ny'", "x\ny"),
    ("'x\r\ny\rz'", "x\r\ny\rz"),
    ('"""x\ny"""', "x\ny"),
    ("'''it's \"x\"\n'''", 'it\'s "x"\n'),
    ("'x\\\ny'", "xy"),
    ("'x\\ny'", "x\ny"),
    ("'\\\\n'", "\\n"),
    (r"'\d+\.\s*\w'", r"\d+\.\s*\w"),
    (r"'C:\Program Files\dir'", "C:\\Program Files\\dir"),
    (r"r'\d\n'", r"\d\n"),
    (r"'\x41\u6771\U0001F389\101\0'", "A東🎉A\0"),
    ("'\x00'", "\x00"),
    ("'\t'", "\t"),
    ("'a' 'b'", "ab"),
    ("['a,b', ')', \"]\"]", ["a,b", ")", "]"]),
    ("(1, 2)", [1, 2]),
    ("(1)", 1),
    ("[]", []),
    ("{}", {}),
    ("- 3", -3),
    ("1.5e3", 1500.0),
    ("true", True),
    ("None", None),
    ("'🎉'", "🎉"),
]


def call(text: str) -> str:
    return f"<|tool_call_start|>[f(a={text}, b='end')]<|tool_call_end|>"


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[text for text, _ in VALUES])
def test_a_literal_is_converted(text: str, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = parse_output(call(text), "lfm2").tool_calls
    assert found.parsed() == {"a": value, "b": "end"}


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "b'x'",
        "f'{x}'",
        "1j",
        "...",
        "g()",
        "{1: 2}",
        "{**{}}",
        "'a",
        "[1",
        "1 +",
        "1 + 1",
        "-'a'",
        "not 1",
        r"'\N{NO}'",
    ],
)
def test_other_expressions_invalidate_the_call(text: str) -> None:
    answer = parse_output(call(text), "lfm2")
    assert answer.tool_calls == ()
    assert answer.invalid_tool_calls[0].name == "f"


@pytest.mark.parametrize("name", ["pythonic", "lfm2"])
def test_a_trailing_comma_is_allowed(name: str) -> None:
    before, after = ("<|tool_call_start|>", "<|tool_call_end|>") if name == "lfm2" else ("", "")
    answer = parse_output(f"{before}[\n  f(a=1,),\n  g(),\n]{after}", name)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("f", '{"a": 1}'), ("g", "{}")]
    assert answer.text == ""
    assert parse_output("[,]", "pythonic").tool_calls == ()
