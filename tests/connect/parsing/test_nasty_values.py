"""Calls whose arguments contain markup, code and quotes: parsed back completely, split anywhere, never from a prefix."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st
from vllm_connect import Completion, OutputParser, find_format, fold

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, ONE_CALL, TAG_FORMATS, Call, Render
from tests.fuzzing import examples

RENDERERS: dict[str, Render] = {**JSON_FORMATS, **TAG_FORMATS, **ONE_CALL, **ELEMENTS}
EVERY = pytest.mark.parametrize("name", RENDERERS)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "n": {"type": "integer"},
                    "list": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    }
    for name in ("write_file", "run2")
]
PIECES = [
    *(
        "a",
        "Ω",
        "東京",
        "🎉",
        "e\u0301",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\u2028",
        "\\",
        "\\n",
        '"',
        "'",
        "`",
        "'''",
        '"""',
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        ",",
        ":",
        ";",
        "=",
        "<",
        ">",
        "|",
        "&",
        "#",
        "/",
        "0",
        "-1",
        "null",
        "true",
        "None",
    ),
    *(
        "<b>",
        "</b>",
        "<br/>",
        "<!--",
        "]]>",
        "<![CDATA[",
        "</div>\n",
        "if a < b:",
        "&amp;",
        "<parameter",
        "</",
        "<|",
        "|>",
    ),
    *(
        "</tool",
        "<tool_call",
        "function=x>",
        "<think>",
        "</think>",
        "[TOOL_CALLS]",
        "functools[",
        '{"name": "f", "arguments": {}}',
    ),
    *(
        "[f(x=1)]",
        "call:f{",
        "```json\n",
        "\n```",
        "<|im_end|>",
        "</s>",
        "%s",
        "$1",
        "print('x')",
        'x = "y"',
        "</invoke>",
    ),
]
TEXTS = ["", "Sure. ", "One < two; three > 2.\n", 'It\'s "done".', "東京 🎉\n\n"]


def markers_of(name: str) -> list[str]:
    """Return the format's markers, which a value that is bare text may not contain."""
    empty = RENDERERS[name]([("write_file", {})])
    full = RENDERERS[name]([("write_file", {"code": "VALUE", "note": "VALUE"})])
    own = [*empty.split("\n"), *full.replace("code", "").split("VALUE")]
    return [marker.strip() for marker in own if marker.strip()]


def fits(name: str, value: str) -> bool:
    """Check whether a format that writes bare text can contain a text."""
    if name in JSON_FORMATS or name in ONE_CALL:
        return True
    ends = [marker.split(">")[0] for marker in markers_of(name)[-3:] if marker.startswith(("<", "]<"))]
    quote = {"gemma4": '<|"|>', "functiongemma": "<escape>"}.get(name, "")
    clean = not any(end in value for end in ends) and (not quote or quote not in value)
    return clean and not value.startswith("<![CDATA[") and "]<]minimax" not in value


def values(name: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(PIECES), max_size=8).map("".join).filter(lambda text: fits(name, text))


def calls(name: str) -> st.SearchStrategy[list[Call]]:
    text = values(name)
    note = text.filter(lambda value: value != "null") if name in TAG_FORMATS or name in ELEMENTS else text
    known: dict[str, Any] = {"code": text, "note": note | st.none(), "n": st.integers(-5, 2**70)}
    if name not in ELEMENTS:
        known["list"] = st.lists(text, max_size=2)
    call = st.tuples(st.sampled_from(["write_file", "run2"]), st.fixed_dictionaries({}, optional=known))
    return st.lists(call, min_size=1, max_size=1 if name in ONE_CALL else 2)


def parse(name: str, pieces: Sequence[str]) -> Completion:
    parser = OutputParser(name, None, TOOLS, new_id=lambda tool, index: f"{tool}{index}")
    deltas = [delta for piece in pieces for delta in parser.push(piece)]
    return fold([*deltas, *parser.finish()], tools=TOOLS)


def called(answer: Completion) -> list[Call]:
    return [(call.name, call.parsed()) for call in answer.tool_calls]


@EVERY
@examples(15)
@given(data=st.data())
def test_calls_between_text_split_anywhere(name: str, data: st.DataObject) -> None:
    first, second = data.draw(calls(name)), data.draw(calls(name))
    before, between, after = (data.draw(st.sampled_from(TEXTS)) for _ in range(3))
    text = before + RENDERERS[name](first) + between + RENDERERS[name](second) + after
    whole = parse(name, [text])
    assert called(whole) == [*first, *second]
    assert whole.invalid_tool_calls == ()
    assert "".join(whole.text.split()) == "".join((before + between + after).split())
    assert parse(name, list(text)) == whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    assert parse(name, [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]) == whole


@EVERY
@examples(4)
@given(data=st.data())
def test_no_prefix_is_executed(name: str, data: st.DataObject) -> None:
    wanted = data.draw(calls(name))
    text = RENDERERS[name](wanted)
    done = 0
    for end in range(len(text)):
        answer = parse(name, [text[:end]])
        found = called(answer)
        assert found == wanted[: len(found)]
        assert len(found) >= done
        done = len(found)
        if not find_format(name).unambiguous:
            assert answer.invalid_tool_calls == ()
