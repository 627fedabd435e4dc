"""A value without its end tag never runs on into the next parameter, or the next call, of an executed call."""

import re
from typing import Any

import pytest
from vllm_connect import Completion, OutputParser, fold

from tests.connect.parsing.renderers import ELEMENTS, TAG_FORMATS, Call

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": keys}}}
    for name, keys in (
        ("f", {"a": {"type": "string"}, "b": {"type": "string"}, "code": {"type": "string"}}),
        ("g", {"c": {"type": "string"}}),
    )
]
NAMES = [name for name in TAG_FORMATS if name not in ("gemma4", "functiongemma")]
EVERY = pytest.mark.parametrize("name", NAMES)


def render(name: str, calls: list[Call]) -> str:
    return {**TAG_FORMATS, **ELEMENTS}[name](calls)


def start_tag(name: str, key: str) -> str:
    """Return how a format begins a parameter."""
    text = render(name, [("f", {key: "VALUE"})])
    start = max(
        text.find(start)
        for start in (
            "<parameter=",
            "<parameter name",
            "<param name",
            "<atem:parameter",
            "<arg_key>",
            "<ifm|arg_key>",
            "<steptml:parameter",
            "<|open|>argument",
            "<｜DSML｜parameter",
            "<｜DSML｜ parameter",
        )
    )
    assert start > 0
    return text[start : text.index("VALUE")]


def without_end_tag(name: str, calls: list[Call], value: str) -> str:
    """Render calls without the end tag of one value."""
    text = render(name, calls)
    found = re.sub(
        re.escape(value) + r"(\n?)(</[^<>]*>|<\|close\|>argument<\|sep\|>)", re.escape(value) + r"\1", text, count=1
    )
    assert found != text
    return found


def read(name: str, text: str, tools: list[dict[str, Any]] | None) -> Completion:
    pieces = ([text], list(text), [text[: len(text) // 2], text[len(text) // 2 :]])
    answers = []
    for cut in pieces:
        parser = OutputParser(name, None, tools, new_id=lambda tool, index: f"{tool}{index}")
        answers.append(fold([d for piece in cut for d in parser.push(piece)] + parser.finish(), tools=tools))
    assert answers[0] == answers[1] == answers[2]
    return answers[0]


@EVERY
@pytest.mark.parametrize("tools", [TOOLS, None], ids=["known", "unknown"])
def test_the_next_parameter_is_not_part_of_a_value(name: str, tools: list[dict[str, Any]] | None) -> None:
    text = without_end_tag(name, [("f", {"a": "one", "b": "two"})], "one")
    answer = read(name, text, tools)
    if tools is not None and re.search(r"one\n+<|one<[|｜]", text):
        assert [call.parsed() for call in answer.tool_calls] == [{"a": "one", "b": "two"}]
        assert (answer.invalid_tool_calls, answer.text) == ((), "")
        return
    assert answer.tool_calls == ()
    (call,) = answer.invalid_tool_calls
    assert "one" in call.arguments
    assert "two" in call.arguments + answer.text


@EVERY
def test_a_damaged_end_tag_is_not_part_of_a_value(name: str) -> None:
    text = render(name, [("f", {"a": "one", "b": "two", "code": "three"})])
    for value in ("one", "two"):
        end = re.match(r"\n?(</[^<>]*>|<\|close\|>argument<\|sep\|>)", text.partition(value)[2])
        assert end is not None
        for at in range(len(end.group().lstrip("\n"))):
            tag = end.group().lstrip("\n")
            damaged = text.replace(value + end.group(), value + end.group().replace(tag, tag[:at] + tag[at + 1 :]), 1)
            for layout in (damaged, damaged.replace("><", ">\n<")):
                assert read(name, layout, TOOLS).tool_calls == (), layout


@EVERY
def test_a_parameter_that_the_call_has_already_does_not_end_a_value(name: str) -> None:
    text = without_end_tag(name, [("f", {"b": "zero", "a": "one\n", "code": "two"})], "one\n")
    again = text.replace(start_tag(name, "code"), start_tag(name, "b"))
    assert read(name, again, TOOLS).tool_calls == ()


@EVERY
def test_an_undeclared_parameter_is_not_part_of_a_value(name: str) -> None:
    text = without_end_tag(name, [("f", {"a": "one\n", "z": "two"})], "one\n")
    assert read(name, text, TOOLS).tool_calls == ()


@EVERY
@pytest.mark.parametrize("tools", [TOOLS, None], ids=["known", "unknown"])
def test_the_next_call_is_not_part_of_a_value(name: str, tools: list[dict[str, Any]] | None) -> None:
    text = without_end_tag(name, [("f", {"a": "one"}), ("g", {"c": "two"})], "one")
    answer = read(name, text, tools)
    assert all(call.parsed() == {"c": "two"} for call in answer.tool_calls)
    assert answer.invalid_tool_calls[0].name == "f"


@EVERY
def test_all_end_tags_missing(name: str) -> None:
    text = render(name, [("f", {"a": "one", "b": "two"})])
    cut = re.sub(r"(one|two)(\n?)(</[^<>]*>|<\|close\|>argument<\|sep\|>)", r"\1\2", text)
    assert read(name, cut, TOOLS).tool_calls == ()


@EVERY
@pytest.mark.parametrize(
    "code",
    [
        "if text.startswith('START_TAG'):\n    return 1",
        "<parameter name='x' value='1'/>\n<param name=\"movie\" value=\"a.swf\"/>",
        "<function>f</function> <invoke>",
        "<parameter=",
        "a < b <parameter\n>",
        "<arg_key>",
    ],
)
def test_markup_in_a_value_stays_text(name: str, code: str) -> None:
    code = code.replace("START_TAG", start_tag(name, "other"))
    answer = read(name, render(name, [("f", {"code": code, "b": "x"})]), TOOLS)
    assert [call.parsed() for call in answer.tool_calls] == [{"code": code, "b": "x"}]


DAMAGED_NAMES = [
    (
        "glm45",
        "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>1</aarg_key>b</arg_key>\n<arg_value>2</arg_value>\n</tool_call>",
    ),
    (
        "glm45",
        "<tool_call>f\n<arg_key>a</arg_ke>\n<arg_value>1</arg_value>\n<arg_key>b</arg_key>\n<arg_value>2</arg_value>\n</tool_call>",
    ),
    (
        "glm45",
        "<tool_call>f\n<arg_key>a<arg_key>\n<arg_value>1</arg_value>\n</tool_call>\n<tool_call>f<arg_key>b</arg_key><arg_value>2</arg_value></tool_call>",
    ),
    (
        "hy_v3",
        "<tool_calls><tool_call>f<tool_sep><arg_key>a</argkey><arg_value>1</arg_value><arg_key>b</arg_key><arg_value>2</arg_value></tool_call></tool_calls>",
    ),
    (
        "deepseek_v32",
        '<｜DSML｜function_calls><｜DSML｜invoke name="f"><｜DSML｜parameter name="a" sting="true">1</｜DSML｜parameter></｜DSML｜invoke>',
    ),
    (
        "deepseek_v32",
        '<｜DSML｜function_calls><｜DSML｜invoke name="f"><｜DSML｜parameter name="a" string="tre">1</｜DSML｜parameter></｜DSML｜invoke>',
    ),
    (
        "deepseek_v32",
        '<｜DSML｜function_calls><｜DSML｜invoke name="f"><｜DSML｜parameter name="" string="true">1</｜DSML｜parameter></｜DSML｜invoke>',
    ),
    (
        "qwen3_coder",
        "<tool_call>\n<function=f>\n<parameter=a\n1\n</parameter>\n<parameter=b>\n2\n</parameter>\n</function>\n</tool_call>",
    ),
    ("minicpm5", '<function name="f"><param name=""a">1</param></function>'),
    (
        "kimi_k3",
        '<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|><|open|>argument key="a type="string"<|sep|>1<|close|>argument<|sep|>',
    ),
    ("gemma4", '<|tool_call>call:f{a<|"|>1<|"|>,b:2}<tool_call|>'),
    ("gemma4", "<|tool_call>call:f{a:1b:2}<tool_call|>"),
    ("gemma4", "<|tool_call>call:f{a1,b:2}<tool_call|>"),
    ("functiongemma", "<start_function_call>call:f{a<escape>1<escape>,b:<escape>2<escape>}<end_function_call>"),
    (
        "minimax_m3",
        ']<]minimax[>[<tool_call>]<]minimax[>[<invoke name="f">]<]minimax[>[<a <b>1]<]minimax[>[</a <b>]<]minimax[>[</invoke>',
    ),
]


@pytest.mark.parametrize(("name", "text"), DAMAGED_NAMES)
@pytest.mark.parametrize("tools", [TOOLS, None], ids=["known", "unknown"])
def test_a_damaged_parameter_name_makes_the_call_invalid(
    name: str, text: str, tools: list[dict[str, Any]] | None
) -> None:
    answer = read(name, text, tools)
    assert answer.tool_calls == ()
    assert answer.invalid_tool_calls[0].name == "f"


@EVERY
@pytest.mark.parametrize(
    "key", ["user name", "filter[name]", "$top", "a.b", "it's", "x-y_z", "東京", "@type", "a/b", "(x)"]
)
def test_unusual_parameter_names_are_valid(name: str, key: str) -> None:
    assert [call.parsed() for call in read(name, render(name, [("f", {key: "v"})]), None).tool_calls] == [{key: "v"}]


def test_a_declared_parameter_name_may_contain_anything() -> None:
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a=b,{c}": {"type": "string"}}}}}
    ]
    for name in ("qwen3_coder", "glm45", "minimax_m2"):
        text = render(name, [("f", {"a=b,{c}": "v"})])
        assert [call.parsed() for call in read(name, text, tools).tool_calls] == [{"a=b,{c}": "v"}]
