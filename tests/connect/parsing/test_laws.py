"""The laws of a parser, for every format."""

import random

import pytest
from hypothesis import given, strategies as st
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


def fragments(format_: Format) -> list[str]:
    """Return what a text of the format is made of: its markers, pieces of them, and pieces of calls."""
    own = [*format_.start_markers, *format_.ignored_markers]
    ends = [marker.replace("<", "</", 1) for marker in format_.start_markers if marker.startswith("<")]
    halves = [half for one in format_.start_markers for half in (one[: len(one) // 2], one[len(one) // 2 :])]
    return [*own, *ends, *halves, *COMMON]


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
def test_the_result_is_independent_of_chunking_and_nothing_raises(name: str, data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.sampled_from(fragments(find_format(name))), max_size=14))
    text = "".join(pieces)
    whole = parse(name, [text])
    assert parse(name, list(text)) == whole
    at = data.draw(st.integers(0, len(text)))
    assert parse(name, [text[:at], text[at:]]) == whole


@EVERY
@examples(60)
@given(data=st.data())
def test_nothing_disappears(name: str, data: st.DataObject) -> None:
    """A word that is in no marker is emitted somewhere: as text, as reasoning, in a call."""
    pieces = data.draw(st.lists(st.sampled_from([*fragments(find_format(name)), "ZEBRA"]), max_size=12))
    text = "".join(pieces)
    answer = parse(name, [text])
    if not answer.tool_calls and not answer.invalid_tool_calls:
        assert (answer.text + answer.reasoning).count("ZEBRA") == text.count("ZEBRA")


@EVERY
def test_time_is_linear(name: str) -> None:
    """Steps are counted, not seconds: twice the text takes at most 2.5 times the steps."""
    format_ = find_format(name)
    source = random.Random(name)  # noqa: S311 - texts, not secrets
    for word in (
        *format_.start_markers,
        format_.start_markers[0] + '{"name": "f", "arguments": {"a": "',
        "{",
        '{"a":',
        "[[",
        "f(",
    ):
        text = word * (400_000 // len(word) + 1)
        steps = []
        for size in (200_000, 400_000):
            parser = OutputParser(name, "auto", TOOLS)
            at = 0
            while at < size:
                width = min(source.randint(1, 2_000), size - at)
                parser.push(text[at : at + width])
                at += width
            parser.finish()
            steps.append(parser.steps)
        assert steps[1] / steps[0] < 2.5, word
