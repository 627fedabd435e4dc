"""Variants of the usual markup that checkpoints of a family write."""

import pytest
from vllm_connect import Completion, OutputParser, fold, parse_output

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {
                    "html": {"type": "string"},
                    "n": {"type": "integer"},
                    'say "hi" &quot;': {"type": "string"},
                },
            },
        },
    }
]


def read(name: str, text: str) -> Completion:
    answers = []
    for pieces in ([text], list(text)):
        parser = OutputParser(name, None, TOOLS, new_id=lambda tool, index: f"{tool}{index}")
        deltas = [delta for piece in pieces for delta in parser.push(piece)]
        answers.append(fold([*deltas, *parser.finish()], tools=TOOLS))
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.parametrize(
    ("value", "html"),
    [
        ("<![CDATA[<b>x & y</b>]]>", "<b>x & y</b>"),
        ('<![CDATA[<param name="html">x</param>]]>', '<param name="html">x</param>'),
        ("<![CDATA[]]>", ""),
        ("<![CDATA[a]] ]>b]]>", "a]] ]>b"),
        ("a <![CDATA[b]]>", "a <![CDATA[b]]>"),
        ("&lt;b&gt;", "&lt;b&gt;"),
    ],
)
def test_minicpm_wraps_markup_in_cdata(value: str, html: str) -> None:
    text = f'<function name="f"><param name="html">{value}</param><param name="n">1</param></function>'
    (call,) = read("minicpm5", text).tool_calls
    assert call.parsed() == {"html": html, "n": 1}


def test_unterminated_cdata_is_not_a_value() -> None:
    answer = read("minicpm5", '<function name="f"><param name="html"><![CDATA[x</param></function>')
    assert answer.tool_calls == ()
    assert "x</param>" in answer.invalid_tool_calls[0].arguments


@pytest.mark.parametrize("name", ["hy_v3", "hy_v4"])
def test_hunyuan_tags_may_have_a_suffix(name: str) -> None:
    text = (
        "Hi<tool_calls:6124c78e>\n<tool_call:6124c78e>f<tool_sep:6124c78e>\n<arg_key:6124c78e>html</arg_key:6124c78e>\n"
        "<arg_value:6124c78e><arg_value></arg_value></arg_value:6124c78e>\n</tool_call:6124c78e>\n</tool_calls:6124c78e>"
    )
    answer = read(name, text)
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [("f", {"html": "<arg_value></arg_value>"})]
    assert answer.text == "Hi"
    for other in ("<tool_calls:>", "<tool_calls:a b>", "<tool_calls:6124c78e", "<tool_calls:6124c78e>f"):
        assert read(name, other) == Completion(text=other)


def test_kimi_k3_escapes_quotes_in_attributes() -> None:
    text = (
        '<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|>'
        '<|open|>argument key="say &quot;hi&quot; &amp;quot;" type="string"<|sep|>&quot;<|close|>argument<|sep|>'
        "<|close|>call<|sep|><|close|>tools<|sep|>"
    )
    (call,) = read("kimi_k3", text).tool_calls
    assert call.parsed() == {'say "hi" &quot;': "&quot;"}


M3 = "]<]minimax[>["
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
}
ELEMENT_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {
                "type": "object",
                "$defs": {"Point": POINT},
                "properties": {
                    "to": {"$ref": "#/$defs/Point"},
                    "by": {"anyOf": [{"$ref": "#/$defs/Point"}, {"type": "null"}]},
                    "via": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Point"}}, {"type": "null"}]},
                    "note": {"type": "string"},
                },
            },
        },
    }
]


def element_call(body: str) -> Completion:
    text = f'N<tool_call>N<invoke name="f">{body}N</invoke>N</tool_call>'.replace("N<", f"{M3}<")
    return parse_output(text, "minimax_m3", None, ELEMENT_TOOLS)


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ("N<to>N<x>1N</x>N<tags>N<t>2N</t>N</tags>N</to>", {"to": {"x": 1, "tags": ["2"]}}),
        ("N<by>N<x>1N</x>N</by>", {"by": {"x": 1}}),
        ("N<by>nullN</by>", {"by": None}),
        ("N<by>N</by>", {"by": {}}),
        ("N<via>N<p>N<x>1N</x>N</p>N<p>N<x>2N</x>N</p>N</via>", {"via": [{"x": 1}, {"x": 2}]}),
        ("N<via>N</via>", {"via": []}),
        ("N<note>N</note>", {"note": ""}),
        ("N<other>N<x>1N</x>N</other>", {"other": {"x": "1"}}),
        ('N<to>{"x": 1}N</to>', {"to": {"x": 1}}),
    ],
)
def test_elements_are_converted_through_references_and_unions(body: str, arguments: object) -> None:
    (call,) = element_call(body).tool_calls
    assert call.parsed() == arguments


@pytest.mark.parametrize("body", ["N<to>lost N<x>1N</x>N</to>", "lost N<note>aN</note>", "N<note>aN</note> lost"])
def test_text_beside_elements_is_not_lost(body: str) -> None:
    answer = element_call(body)
    assert answer.tool_calls == ()
    assert "lost" in answer.invalid_tool_calls[0].arguments


@pytest.mark.parametrize("space", ["", "Ġ", " "])
def test_minicpm_may_lose_the_space_in_its_tags(space: str) -> None:
    text = f'<function{space}name="f"><param{space}name="html">a</param><param{space}name="n">1</param></function>'
    (call,) = read("minicpm5", text * 2).tool_calls[:1]
    assert call.parsed() == {"html": "a", "n": 1}
    assert read("minicpm5", f"A function{space}name.").text == f"A function{space}name."


def test_xlam_may_begin_with_mistrals_marker() -> None:
    answer = read("xlam", 'Look.[TOOL_CALLS][{"name": "f", "arguments": {"n": 1}}]')
    assert ([call.name for call in answer.tool_calls], answer.text) == (["f"], "Look.")


def test_all_arguments_may_stand_in_one_parameter() -> None:
    text = '<function name="f"><param name="properties">{"html": "a", "n": 1}</param></function>'
    assert [call.parsed() for call in read("minicpm5", text).tool_calls] == [{"html": "a", "n": 1}]
