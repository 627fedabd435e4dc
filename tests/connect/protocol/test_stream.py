"""One answer from its bytes."""

import json
import logging
from typing import Any

import pytest
from vllm_connect import (
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ProtocolError,
    ReasoningDelta,
    ServerFailureError,
    StreamInterruptedError,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
    fold,
)
from vllm_connect.protocol.stream import AnswerReader, coalesce

EVENTS = "text/event-stream"
JSON = "application/json"


def new_id(name: str, index: int) -> str:
    return f"{name}_{index}"


def event(body: Any) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def said(text: str, finish: str | None = None, index: int = 0) -> bytes:
    return event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]})


DONE = b"data: [DONE]\n\n"


def run(
    data: bytes, kind: str = EVENTS, *, width: int | None = None, choices: int = 1
) -> tuple[list[Delta], AnswerReader]:
    stream = AnswerReader(new_id=new_id, choices=choices)
    stream.begin(200, {"content-type": kind})
    deltas: list[Delta] = []
    for at in range(0, len(data), width or len(data) or 1):
        deltas += stream.push(data[at : at + (width or len(data))])
        if stream.done:
            break
    return deltas + stream.finish(), stream


@pytest.mark.parametrize(("end", "logged"), [(b"", 1), (DONE, 0)])
def test_an_answer_without_its_end_mark_is_whole_and_logged(
    end: bytes, logged: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "vllm_connect"):
        deltas, stream = run(said("Hello", "stop") + end)
    assert (fold(deltas).text, stream.failure) == ("Hello", None)
    assert len(caplog.records) == logged


def test_a_cut_answer_is_an_error_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "vllm_connect"):
        _, stream = run(said("Hello"))
    assert isinstance(stream.failure, StreamInterruptedError)
    assert not caplog.records


@pytest.mark.parametrize("width", [1, 2, 7, 50, None])
def test_any_cutting_folds_to_the_same_answer(width: int | None) -> None:
    deltas, stream = run(said("Hel") + said("lo", "stop") + DONE, width=width)
    assert (fold(deltas).text, fold(deltas).finish_reason, stream.failure) == ("Hello", "stop", None)


def test_what_arrives_together_leaves_together() -> None:
    deltas, _ = run(said("Hel") + said("lo") + said("!", "stop") + DONE)
    assert deltas == [TextDelta("Hello!"), Finish("stop")]


def test_a_whole_response_is_a_stream_of_one_chunk() -> None:
    whole = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {}}
    deltas, stream = run(json.dumps(whole).encode(), JSON, width=5)
    assert fold(deltas).text == "Hi"
    assert stream.failure is None


@pytest.mark.parametrize("tail", [b"", DONE])
def test_an_answer_without_an_end_is_cut(tail: bytes) -> None:
    deltas, stream = run(said("The answer is NOT") + tail)
    assert fold(deltas).text == "The answer is NOT"
    assert isinstance(stream.failure, StreamInterruptedError)
    partial = stream.partial()
    assert partial is not None
    assert partial.text == "The answer is NOT"


def test_an_end_without_done_is_an_end() -> None:
    _, stream = run(said("Hi", "stop"))
    assert stream.failure is None


def test_an_event_without_its_blank_line_is_none() -> None:
    _, stream = run(said("Hi") + said("!", "stop").rstrip(b"\n"))
    assert isinstance(stream.failure, StreamInterruptedError)


@pytest.mark.parametrize("data", [b"", DONE, b": keep-alive\n\n"])
def test_an_empty_stream_is_cut(data: bytes) -> None:
    deltas, stream = run(data)
    assert deltas == []
    assert isinstance(stream.failure, StreamInterruptedError)
    assert stream.partial() is None


def test_nothing_follows_done() -> None:
    deltas, stream = run(said("Hi", "stop") + DONE + said("more"))
    assert fold(deltas).text == "Hi"
    assert stream.done


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_an_aborted_answer_is_cut(reason: str) -> None:
    deltas, stream = run(said("Hi", reason) + DONE)
    assert fold(deltas).text == "Hi"
    assert isinstance(stream.failure, StreamInterruptedError)
    assert stream.failure.code == "aborted"


def test_an_error_in_the_stream_keeps_what_came() -> None:
    error = {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}
    deltas, stream = run(said("Hi") + event(error) + DONE)
    assert deltas == [TextDelta("Hi")]
    assert isinstance(stream.failure, ServerFailureError)
    assert "engine died" in str(stream.failure)


def test_an_event_named_error_is_one() -> None:
    _, stream = run(b'event: error\ndata: {"message": "boom"}\n\n')
    assert "boom" in str(stream.failure)


def test_malformed_json_keeps_what_came() -> None:
    deltas, stream = run(said("Hi") + b"data: {\n\n")
    assert deltas == [TextDelta("Hi")]
    assert isinstance(stream.failure, ProtocolError)


@pytest.mark.parametrize("choices", [[], None])
def test_a_response_without_choices_is_none(choices: Any) -> None:
    _, stream = run(json.dumps({"choices": choices}).encode(), JSON)
    assert isinstance(stream.failure, ProtocolError)


def test_each_choice_needs_its_end() -> None:
    both = said("a", "stop", 0) + said("b", "stop", 1) + DONE
    assert run(both, choices=2)[1].failure is None
    assert isinstance(run(said("a", "stop", 0) + DONE, choices=2)[1].failure, StreamInterruptedError)


def test_neighbours_of_a_kind_are_joined_and_others_are_not() -> None:
    usage = UsageReport(Usage(1, 2, 3))
    deltas: list[Delta] = [
        Metadata({"id": "x"}),
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        TextDelta("c"),
        Logprobs([{"token": "c"}]),
        TextDelta("d"),
        Logprobs([{"token": "d"}]),
        TextDelta("z", 1),
        TextDelta("e"),
        ToolCallDelta(0, "i", "f", "{"),
        ToolCallDelta(0, None, None, "}", ended=True),
        ToolCallDelta(1, "j", "g", "{}"),
        TextDelta("f"),
        usage,
        Finish("stop"),
    ]
    assert coalesce(deltas) == [
        Metadata({"id": "x"}),
        ReasoningDelta("ab"),
        TextDelta("cde"),
        Logprobs([{"token": "c"}, {"token": "d"}]),
        TextDelta("z", 1),
        ToolCallDelta(0, "i", "f", "{}", ended=True),
        ToolCallDelta(1, "j", "g", "{}"),
        TextDelta("f"),
        usage,
        Finish("stop"),
    ]
    assert fold(coalesce(deltas)) == fold(deltas)


def test_a_delta_that_replaces_is_not_joined_to_what_it_replaces() -> None:
    text: list[Delta] = [TextDelta("a"), TextDelta("b"), TextDelta("c", replaces=True), TextDelta("d")]
    assert coalesce(text) == [TextDelta("ab"), TextDelta("cd", replaces=True)]
    reasoning: list[Delta] = [ReasoningDelta("a"), ReasoningDelta("b", replaces=True)]
    assert coalesce(reasoning) == reasoning
