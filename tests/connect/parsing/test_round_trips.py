"""What a format's renderer writes, its parser reads back; no strict prefix of arguments is ever executed."""

import json
import random
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from vllm_connect import Finish, OutputParser, ToolCallDelta, find_format, fold, format_names

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, ONE_CALL, TAG_FORMATS, Call, Render
from tests.connect.parsing.vectors import ALL as VECTORS

KEYS = {"s": "string", "i": "integer", "f": "number", "b": "boolean", "a": "array", "o": "object"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {key: {"type": kind} for key, kind in KEYS.items()}},
        },
    }
    for name in ("get_weather", "f2")
]

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PLAIN_TEXT = st.text(
    st.sampled_from(string.ascii_letters + string.digits + " .,;:!?'\"()[]{}/\\&=+-_東京é🎉"), max_size=30
)


def values(text: st.SearchStrategy[str], *, deep: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    numbers = st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda f: f != int(f) and abs(f) > 1e-4)
    inner = st.lists(text | st.integers() | st.booleans() | st.none(), max_size=3)
    known: dict[str, st.SearchStrategy[Any]] = {
        "s": text,
        "i": st.integers(-(2**70), 2**70),
        "f": numbers,
        "b": st.booleans(),
    }
    if deep:
        known |= {"a": inner, "o": st.dictionaries(st.sampled_from(["k", "l"]), text | st.integers(), max_size=2)}
    return st.fixed_dictionaries({}, optional=known)


def calls(arguments: st.SearchStrategy[dict[str, Any]], most: int) -> st.SearchStrategy[list[Call]]:
    call = st.tuples(st.sampled_from(["get_weather", "f2"]), arguments)
    return st.lists(call, min_size=1, max_size=most)


def read(name: str, pieces: list[str]) -> list[Call]:
    parser = OutputParser(name, None, TOOLS)
    deltas = [delta for piece in pieces for delta in parser.push(piece)]
    answer = fold([*deltas, *parser.finish()], tools=TOOLS)
    assert answer.invalid_tool_calls == ()
    assert answer.text.strip() == ""
    return [(call.name, call.parsed()) for call in answer.tool_calls]


QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(name: str, render: Render, wanted: list[Call], at: int) -> None:
    text = render(wanted)
    assert read(name, [text]) == wanted
    assert read(name, [text[: at % (len(text) + 1)], text[at % (len(text) + 1) :]]) == wanted


@pytest.mark.parametrize("name", JSON_FORMATS)
@QUICK
@given(wanted=calls(values(ANY_TEXT), 3), at=st.integers(0, 1000))
def test_json(name: str, wanted: list[Call], at: int) -> None:
    check(name, JSON_FORMATS[name], wanted, at)


@pytest.mark.parametrize("name", TAG_FORMATS)
@QUICK
@given(wanted=calls(values(PLAIN_TEXT), 3), at=st.integers(0, 1000))
def test_tags(name: str, wanted: list[Call], at: int) -> None:
    check(name, TAG_FORMATS[name], wanted, at)


@pytest.mark.parametrize("name", ONE_CALL)
@QUICK
@given(wanted=calls(values(ANY_TEXT), 1), at=st.integers(0, 1000))
def test_one_call(name: str, wanted: list[Call], at: int) -> None:
    check(name, ONE_CALL[name], wanted, at)


@pytest.mark.parametrize("name", ELEMENTS)
@QUICK
@given(wanted=calls(values(PLAIN_TEXT, deep=False), 3), at=st.integers(0, 1000))
def test_elements(name: str, wanted: list[Call], at: int) -> None:
    check(name, ELEMENTS[name], wanted, at)


def test_every_format_has_a_renderer_or_vectors() -> None:
    tried = {*JSON_FORMATS, *TAG_FORMATS, *ONE_CALL, *ELEMENTS, *(vector.format for vector in VECTORS)}
    assert {find_format(name).names[0] for name in format_names()} == {find_format(name).names[0] for name in tried}


def test_no_strict_prefix_of_arguments_is_executed() -> None:
    source = random.Random(7)  # noqa: S311 - arguments, not secrets
    tried = 0
    while tried < 50_000:
        whole = json.dumps(
            {
                "path": "/home/" + "".join(source.choices(string.printable, k=source.randint(0, 60))),
                "deep": {"list": [source.random(), source.randint(-9, 9), None, True, "東京"], "map": {}},
                **{f"key{i}": source.choice(["x", 1, [], {}, 1.5, "\\"]) for i in range(source.randint(0, 4))},
            },
            ensure_ascii=source.random() < 0.5,
            indent=source.choice([None, 1]),
        )
        for end in range(1, len(whole)):
            answer = fold([ToolCallDelta(0, "i", "f", whole[:end]), Finish("tool_calls")])
            assert answer.tool_calls == ()
            tried += 1
