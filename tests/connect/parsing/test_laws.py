"""The laws of a parser, for every format."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vllm_connect import Completion, Format, OutputParser, find_format, fold, format_names

from tests.fuzzing import examples

FORMATS = sorted({find_format(name).names[0] for name in format_names()})
EVERY = pytest.mark.parametrize("name", FORMATS)
TOOLS = [
    {
        "type": "function",
        "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}},
    }
]
PLAIN = "The weather in Tokyo is 20 degrees; 1 + 1 = 2, and that is fine. 東京 🎉\n\n  Yes."

COMMON = [
    *(
        '{"name": "f", "arguments": {"x": 1}}',
        '{"name":',
        '"f"',
        "f",
        "{",
        "}",
        "[",
        "]",
        '"',
        "\\",
        ":",
        ",",
        "\n",
        " ",
    ),
    *(
        '"arguments": ',
        '{"x": 1}',
        "(x=1)",
        "f(",
        ")",
        "x",
        "1",
        "</",
        ">",
        "<",
        "|",
        "functions.f:0",
        "call:f{x:1}",
        "text",
    ),
]


def words_of(format_: Format) -> list[str]:
    """List what a text of the format is made of: its own words, pieces of them, and pieces of calls."""
    own = [*format_.openers, *format_.noise]
    closers = [word.replace("<", "</", 1) for word in format_.openers if word.startswith("<")]
    halves = [word[: len(word) // 2] for word in format_.openers] + [word[len(word) // 2 :] for word in format_.openers]
    return [*own, *closers, *halves, *COMMON]


def parse(name: str, pieces: list[str]) -> Completion:
    parser = OutputParser(name, "auto", TOOLS, new_id=lambda tool, index: f"{tool}-{index}")
    deltas = [delta for piece in pieces for delta in parser.push(piece)]
    return fold([*deltas, *parser.finish()], tools=TOOLS)


@EVERY
def test_plain_text_passes_unchanged(name: str) -> None:
    assert parse(name, [PLAIN]) == Completion(text=PLAIN)
    assert parse(name, list(PLAIN)) == Completion(text=PLAIN)


@EVERY
@examples(150)
@given(data=st.data())
def test_no_cut_changes_anything_and_nothing_raises(name: str, data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(words_of(find_format(name))), max_size=14))
    text = "".join(words)
    whole = parse(name, [text])
    assert parse(name, list(text)) == whole
    at = data.draw(st.integers(0, len(text)))
    assert parse(name, [text[:at], text[at:]]) == whole


@EVERY
@examples(60)
@given(data=st.data())
def test_nothing_disappears(name: str, data: st.DataObject) -> None:
    """A word that is in no marker comes out somewhere: as text, as reasoning, in a call."""
    words = data.draw(st.lists(st.sampled_from([*words_of(find_format(name)), "ZEBRA"]), max_size=12))
    text = "".join(words)
    answer = parse(name, [text])
    if not answer.tool_calls and not answer.invalid_tool_calls:
        assert (answer.text + answer.reasoning).count("ZEBRA") == text.count("ZEBRA")


@EVERY
def test_time_is_linear(name: str) -> None:
    """Steps are counted, not seconds: twice the text takes at most 2.5 times the looks at it."""
    format_ = find_format(name)
    source = random.Random(name)  # noqa: S311 - texts, not secrets
    for word in (*format_.openers, format_.openers[0] + '{"name": "f", "arguments": {"a": "', "{", '{"a":', "[[", "f("):
        text = word * (1_000_000 // len(word) + 1)
        steps = []
        for size in (500_000, 1_000_000):
            parser = OutputParser(name, "auto", TOOLS)
            at = 0
            while at < size:
                width = min(source.randint(1, 2_000), size - at)
                parser.push(text[at : at + width])
                at += width
            parser.finish()
            steps.append(parser.steps)
        assert steps[1] / steps[0] < 2.5, word
