"""Python literals as models write them: newlines, backslashes and commas that Python allows and does not allow."""

import warnings
from typing import Any

import pytest
from vllm_connect import OutputParser, fold, parse_output

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
    ("'sed -n '360,450p' f.py'", "sed -n '360,450p' f.py"),
    ('"say "hi" to me"', 'say "hi" to me'),
    ("'it's fine'", "it's fine"),
    ("'echo '' > f'", "echo '' > f"),
    ("['it's', 'they're']", ["it's", "they're"]),
    ("07", 7),
    ("-007", -7),
    ("[00, 0.07, 10]", [0, 0.07, 10]),
    ("'07'", "07"),
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
        "'a' + 'b'",
        "'%s' % 'a'",
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


def test_lfm2_writes_json_if_the_prompt_asks_for_it() -> None:
    text = '<|tool_call_start|>[{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]<|tool_call_end|>Done.'
    for pieces in ([text], list(text)):
        parser = OutputParser("lfm2")
        answer = fold([d for piece in pieces for d in parser.push(piece)] + parser.finish())
        assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("f", {"x": 1}), ("g", {})]
        assert answer.text == "Done."


@pytest.mark.parametrize(("name", "before", "after"), [
    ("lfm2", "<|tool_call_start|>[", "]<|tool_call_end|>"),
    ("olmo3", "<function_calls>\n", "\n</function_calls>"),
])  # fmt: skip
def test_the_end_of_a_block_with_a_broken_call_is_not_text(name: str, before: str, after: str) -> None:
    answer = parse_output(f"{before}f(a=**{{}}){after}Done.", name)
    assert (answer.tool_calls, answer.text) == ((), "Done.")
    assert answer.invalid_tool_calls[0].name == "f"


def test_an_empty_list_is_markup() -> None:
    assert parse_output("<|tool_call_start|>[ ]<|tool_call_end|>Hi.", "lfm2").text == "Hi."


TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"x": {"type": "integer"}}}}}]


@pytest.mark.parametrize("name", ["lfm2", "hermes", "auto", "olmo3"])
def test_a_bare_list_is_a_call_if_it_is_all_of_the_answer(name: str) -> None:
    for text in ("[f(x=1)]", "\n[f(x=1), f(x=2)]\n"):
        assert len(parse_output(text, name, None, TOOLS).tool_calls) == text.count("f(")
    for text in ("[f(x=1)] is a call.", "See [f(x=1)]", "[f(x='a')]", "[g(x=1)]", "[f(x=1)", "[1, 2]"):
        answer = parse_output(text, name, None, TOOLS)
        assert (answer.tool_calls, answer.text) == ((), text)
