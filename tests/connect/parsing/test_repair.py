"""Repair of arguments: only when asked for, only where there is one meaning, never of a fragment."""

import json

import pytest
from vllm_connect import Completion, Delta, Finish, ToolCallDelta, fold, parse_output
from vllm_connect.parsing.repair import RepairFilter, repair_arguments

MEANT = {"city": "Paris", "metric": True}


@pytest.mark.parametrize(
    "text",
    [
        '{"city": "Paris", "metric": true}',
        '{"city": "Paris", "metric": true,}',
        "{'city': 'Paris', 'metric': True}",
        "{'city': 'Paris', 'metric': true}",
        '```json\n{"city": "Paris", "metric": true}\n```',
        json.dumps('{"city": "Paris", "metric": true}'),
    ],
)
def test_one_meaning_is_found(text: str) -> None:
    repaired = repair_arguments(text)
    assert repaired is not None
    assert json.loads(repaired) == MEANT


def test_raw_line_ends_in_strings_are_kept() -> None:
    assert repair_arguments('{"code": "a\n\tb"}') == '{"code": "a\\n\\tb"}'


@pytest.mark.parametrize(
    "text",
    [
        '{"city": "Par',
        '{"city": "Paris"',
        '{"a": 1, "a": 2}',
        "{'a': 1, 'a': 2}",
        '{"a": NaN}',
        '{"a": 1}{"b": 2}',
        "[1]",
        "{1: 2}",
        "{'a': {1, 2}}",
        "{'a': b'x'}",
        "{'a': open('x')}",
        "{path: /a, oops",
        "\\",
        "'",
        "(" * 5000,
        "{'a': '" + "x" * 100_000 + "'}",
    ],
)
def test_what_has_no_one_meaning_is_left(text: str) -> None:
    assert repair_arguments(text) is None


def parse(deltas: list[Delta]) -> Completion:
    held = RepairFilter(0)
    return fold([told for delta in deltas for told in held.push(delta)])


def test_a_repaired_call_is_named_in_the_metadata() -> None:
    pieces: list[Delta] = [
        ToolCallDelta(0, "a", "f", "{'x':"),
        ToolCallDelta(0, None, None, " 1}"),
        ToolCallDelta(1, "b", "g", "{}"),
    ]
    answer = parse([*pieces, Finish("tool_calls")])
    assert [(call.id, call.arguments) for call in answer.tool_calls] == [("a", '{"x": 1}'), ("b", "{}")]
    assert answer.metadata == {"repaired_tool_calls": ["a"]}


def test_a_fragment_is_never_repaired() -> None:
    whole: list[Delta] = [ToolCallDelta(0, "a", "f", "{'x': 1}")]
    assert parse([*whole, Finish("length")]).tool_calls == ()
    assert parse([*whole, ToolCallDelta(0, ended=False), Finish("stop")]).tool_calls == ()
    assert len(parse([*whole, ToolCallDelta(0, ended=True), Finish("length")]).tool_calls) == 1


def test_a_cut_stream_gives_what_came() -> None:
    held = RepairFilter(0)
    named = held.push(ToolCallDelta(0, "a", "f", "{'x': 1}"))
    answer = fold([*named, *held.finish()])
    assert [(call.name, call.arguments) for call in answer.invalid_tool_calls] == [("f", "{'x': 1}")]


def test_a_whole_text_with_and_without() -> None:
    text = '<tool_call>{"name": "f", "arguments": {\'x\': 1}}</tool_call>'
    assert parse_output(text, "hermes").tool_calls == ()
    answer = parse_output(text, "hermes", repair=True)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("f", '{"x": 1}')]
    assert answer.metadata["repaired_tool_calls"] == [answer.tool_calls[0].id]
