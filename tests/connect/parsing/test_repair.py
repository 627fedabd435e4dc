"""Repair of arguments: only on request, only with one possible meaning, never of truncated arguments."""

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
def test_the_only_possible_meaning_is_found(text: str) -> None:
    repaired = repair_arguments(text)
    assert repaired is not None
    assert json.loads(repaired) == MEANT


def test_raw_newlines_in_strings_are_kept() -> None:
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
def test_arguments_without_one_meaning_are_unchanged(text: str) -> None:
    assert repair_arguments(text) is None


def repair(deltas: list[Delta]) -> Completion:
    repairing = RepairFilter(0)
    return fold([repaired for delta in deltas for repaired in repairing.push(delta)])


def test_a_repaired_call_is_named_in_the_metadata() -> None:
    pieces: list[Delta] = [
        ToolCallDelta(0, "a", "f", "{'x':"),
        ToolCallDelta(0, None, None, " 1}"),
        ToolCallDelta(1, "b", "g", "{}"),
    ]
    answer = repair([*pieces, Finish("tool_calls")])
    assert [(call.id, call.arguments) for call in answer.tool_calls] == [("a", '{"x": 1}'), ("b", "{}")]
    assert answer.metadata == {"repaired_tool_calls": ["a"]}


def test_truncated_arguments_are_never_repaired() -> None:
    call: list[Delta] = [ToolCallDelta(0, "a", "f", "{'x': 1}")]
    assert repair([*call, Finish("length")]).tool_calls == ()
    assert repair([*call, ToolCallDelta(0, ended=False), Finish("stop")]).tool_calls == ()
    assert len(repair([*call, ToolCallDelta(0, ended=True), Finish("length")]).tool_calls) == 1


def test_a_stream_without_a_finish_reason_is_not_repaired() -> None:
    repairing = RepairFilter(0)
    named = repairing.push(ToolCallDelta(0, "a", "f", "{'x': 1}"))
    answer = fold([*named, *repairing.finish()])
    assert repairing.finish() == []
    assert [(call.name, call.arguments) for call in answer.invalid_tool_calls] == [("f", "{'x': 1}")]


def test_parse_output_repairs_on_request() -> None:
    text = '<tool_call>{"name": "f", "arguments": {\'x\': 1}}</tool_call>'
    assert parse_output(text, "hermes").tool_calls == ()
    answer = parse_output(text, "hermes", repair=True)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("f", '{"x": 1}')]
    assert answer.metadata["repaired_tool_calls"] == [answer.tool_calls[0].id]


def test_a_truncated_call_keeps_its_text_and_the_calls_before_it_are_repaired() -> None:
    calls: list[Delta] = [ToolCallDelta(0, "a", "f", "{'x': 1}"), ToolCallDelta(1, "b", "f", "{'x': 2}")]
    answer = repair([*calls, Finish("length")])
    assert [(call.id, call.arguments) for call in answer.tool_calls] == [("a", '{"x": 1}')]
    assert [(call.id, call.arguments) for call in answer.invalid_tool_calls] == [("b", "{'x': 2}")]
    assert answer.metadata == {"repaired_tool_calls": ["a"]}
