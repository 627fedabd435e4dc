"""Folding deltas into an answer."""

import pytest
from vllm_connect import (
    Completion,
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageReport,
    fold,
    fold_choices,
)

NEEDY = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": ["a"]}}}]
EASY = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


def test_everything_is_folded() -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7)
    deltas: list[Delta] = [
        Metadata({"id": "x", "model": "m"}),
        ReasoningDelta("th"),
        ReasoningDelta("ink"),
        TextDelta("Hel"),
        Logprobs([{"token": "Hel"}]),
        TextDelta("lo"),
        Logprobs([{"token": "lo"}]),
        Metadata({"token_ids": [1]}, 0),
        Metadata({"token_ids": [2]}, 0),
        ToolCallDelta(0, "i", "f", '{"a"'),
        ToolCallDelta(0, arguments=": 1}"),
        Finish("tool_calls", 7),
        UsageReport(usage),
    ]
    assert fold(deltas) == Completion(
        text="Hello",
        reasoning="think",
        tool_calls=(ToolCall("i", "f", '{"a": 1}'),),
        finish_reason="tool_calls",
        stop_reason=7,
        usage=usage,
        logprobs=({"token": "Hel"}, {"token": "lo"}),
        metadata={"id": "x", "model": "m", "token_ids": [1, 2]},
    )


def test_nothing_folds_to_an_empty_answer() -> None:
    assert fold([]) == Completion()
    assert fold_choices([]) == [Completion()]


def test_choices_are_kept_apart() -> None:
    deltas: list[Delta] = [
        TextDelta("a", 0),
        TextDelta("b", 1),
        TextDelta("c", 0),
        Finish("stop", None, 1),
        Finish("length"),
    ]
    first, second = fold_choices(deltas)
    assert (first.text, first.finish_reason, first.choice) == ("ac", "length", 0)
    assert (second.text, second.finish_reason, second.choice) == ("b", "stop", 1)


@pytest.mark.parametrize("arguments", ["", "null", " \n"])
def test_no_arguments_are_an_empty_object_unless_some_are_required(arguments: str) -> None:
    call = ToolCallDelta(0, "i", "f", arguments)
    assert fold([call]).tool_calls[0].arguments == "{}"
    assert fold([call], tools=EASY).tool_calls[0].arguments == "{}"
    (invalid,) = fold([call], tools=NEEDY).invalid_tool_calls
    assert invalid.arguments == arguments
    assert "not valid JSON" in invalid.error or "null" in invalid.error


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ('{"a": ', "not valid JSON"),
        ("[1]", "array"),
        ('"x"', "string"),
        ("1", "number"),
        ("true", "boolean"),
        ('{"a": NaN}', "NaN"),
        ('{"a": Infinity}', "Infinity"),
        ('{"a": 1e400}', "too large"),
        ('{"a": 1, "a": 2}', "twice"),
        ("{}{}", "not valid JSON"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": ' + "9" * 5000 + "}", "number"),
        ('{"a":' * 200 + "1" + "}" * 200, "deeper"),
        ("{'a': 1}", "not valid JSON"),
    ],
)
def test_arguments_that_are_no_strict_object_are_never_run(arguments: str, reason: str) -> None:
    completion = fold([ToolCallDelta(0, "i", "f", arguments), Finish("tool_calls")])
    assert completion.tool_calls == ()
    assert reason in completion.invalid_tool_calls[0].error
    assert completion.invalid_tool_calls[0].arguments == arguments


@pytest.mark.parametrize("arguments", ['{"a": 18446744073709551616}', '{"a": ' + "9" * 4300 + "}", '{"a": "\\u0000"}'])
def test_exact_arguments_pass(arguments: str) -> None:
    assert fold([ToolCallDelta(0, "i", "f", arguments)]).tool_calls[0].arguments == arguments


def test_a_call_without_a_name_is_invalid() -> None:
    (invalid,) = fold([ToolCallDelta(0, "i", "", "{}")]).invalid_tool_calls
    assert "has no tool name" in invalid.error


@pytest.mark.parametrize("reason", ["length", "abort", "error", "repetition"])
def test_the_last_call_of_a_cut_answer_is_invalid(reason: str) -> None:
    deltas: list[Delta] = [ToolCallDelta(0, "i", "f", "{}"), ToolCallDelta(1, "j", "g", "{}"), Finish(reason)]
    completion = fold(deltas)
    assert [call.name for call in completion.tool_calls] == ["f"]
    assert reason in completion.invalid_tool_calls[0].error


def test_a_call_that_ended_before_the_cut_is_valid() -> None:
    completion = fold([ToolCallDelta(0, "i", "f", "{}", ended=True), TextDelta("and"), Finish("length")])
    assert [call.name for call in completion.tool_calls] == ["f"]


def test_unknown_tools_are_marked() -> None:
    known, unknown = fold([ToolCallDelta(0, "i", "f", "{}"), ToolCallDelta(1, "j", "g", "{}")], tools=EASY).tool_calls
    assert (known.known, unknown.known) == (True, False)


def test_every_strict_prefix_of_arguments_is_invalid() -> None:
    whole = '{"path": "/home/user", "deep": {"list": [1, 2.5, true, null, "x\\n"]}}'
    for end in range(1, len(whole)):
        assert fold([ToolCallDelta(0, "i", "f", whole[:end]), Finish("tool_calls")]).tool_calls == ()


def test_a_call_that_did_not_end_is_invalid_whatever_its_arguments_and_the_finish_reason() -> None:
    completion = fold([ToolCallDelta(0, "i", "f", "{}", ended=False), Finish("tool_calls")])
    assert completion.tool_calls == ()
    assert "incomplete" in completion.invalid_tool_calls[0].error
