"""Reading the server's shapes."""

import json
from typing import Any

import pytest
from vllm_connect import (
    Completion,
    Delta,
    Finish,
    Metadata,
    ProtocolError,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
    fold,
)
from vllm_connect.protocol.chunks import ChunkReader, ServerError, read_usage


def new_id(name: str, index: int) -> str:
    return f"new_{name}_{index}"


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def calls(*fragments: dict[str, Any]) -> dict[str, Any]:
    return chunk(tool_calls=list(fragments))


def call(index: int | None, name: str | None = None, arguments: Any = None, id: str | None = None) -> dict[str, Any]:  # noqa: A002 - the wire's name
    found = {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}
    found["function"] = {key: value for key, value in found["function"].items() if value is not None}  # type: ignore[union-attr] # a dict by construction
    return {key: value for key, value in found.items() if value is not None}


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


def read(*chunks: dict[str, Any]) -> list[Delta]:
    reader = ChunkReader(new_id)
    deltas: list[Delta] = []
    for piece in chunks:
        reader.read(json.dumps(piece).encode(), deltas)
    return deltas


def told(*chunks: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(c.id, c.name, c.arguments) for c in fold(read(*chunks, END)).tool_calls]


def test_a_chunk_and_a_response_are_read_alike() -> None:
    said = {"content": "Hi", "reasoning": "hm"}
    whole = {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
    part = {"choices": [{"index": 0, "delta": said, "finish_reason": "stop"}]}
    assert read(whole) == read(part) == [ReasoningDelta("hm"), TextDelta("Hi"), Finish("stop")]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_has_two_names(name: str) -> None:
    assert read(chunk(**{name: "hm"})) == [ReasoningDelta("hm")]


@pytest.mark.parametrize("content", [["a", "b"], [{"type": "text", "text": "a"}, {"text": "b"}], "ab"])
def test_content_has_several_shapes(content: Any) -> None:
    assert read(chunk(content=content)) == [TextDelta("ab")]


def test_parts_that_are_no_text_are_kept() -> None:
    first, second = {"type": "image_url", "image_url": {"url": "data:,a"}}, {"type": "audio"}
    deltas = read(chunk(content=["a", first]), chunk(content=[second, "b"]), END)
    assert fold(deltas).text == "ab"
    assert fold(deltas).metadata["non_text_parts"] == [first, second]


@pytest.mark.parametrize("content", [None, "", []])
def test_no_content_is_no_delta(content: Any) -> None:
    assert read(chunk(content=content)) == []


def test_a_null_delta_and_unknown_fields_are_nothing() -> None:
    assert read({"choices": [{"index": 0, "delta": None, "zip": 1}], "zap": {}}) == []
    assert read({"choices": []}) == []


def test_the_head_is_told_once() -> None:
    head = {"id": "a", "model": "m", "created": 1, "choices": []}
    assert read(head, head) == [Metadata({"id": "a", "model": "m", "created": 1})]


def test_another_id_is_another_stream() -> None:
    with pytest.raises(ProtocolError, match="mixed up") as caught:
        read({"id": "a", "choices": []}, {"id": "b", "choices": []})
    assert caught.value.code == "crossed_streams"


def test_a_refusal_is_text_and_marked() -> None:
    assert read(chunk(refusal="No.")) == [TextDelta("No."), Metadata({"refused": True}, 0)]


@pytest.mark.parametrize("body", [{"error": {"message": "x"}}, {"error": "x"}, {"object": "error", "message": "x"}])
def test_an_error_is_no_chunk(body: dict[str, Any]) -> None:
    with pytest.raises(ServerError) as caught:
        read(body)
    assert caught.value.body == body


@pytest.mark.parametrize(
    "data", [b"", b"{", b"<html>", b'"x"', b"[1]", b'{"choices": 1}', b'{"choices": [1]}', b"\xff"]
)
def test_anything_else_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="the server's answer is not"):
        ChunkReader(new_id).read(data, [])


def test_fragments_are_told_verbatim() -> None:
    deltas = read(calls(call(0, "f", "", "a")), calls(call(0, None, '{"x"')), calls(call(0, None, ": 1}")), END)
    assert deltas == [
        ToolCallDelta(0, "a", "f", '{"x"'),
        ToolCallDelta(0, None, None, ": 1}"),
        Finish("tool_calls"),
    ]


def test_two_calls_in_one_chunk() -> None:
    assert told(calls(call(0, "f", "{}", "a"), call(1, "g", "{}", "b"))) == [("a", "f", "{}"), ("b", "g", "{}")]


def test_interleaved_arguments() -> None:
    chunks = [
        calls(call(0, "f", "", "a"), call(1, "g", "", "b")),
        calls(call(0, None, '{"x":')),
        calls(call(1, None, '{"y":')),
        calls(call(0, None, "1}")),
        calls(call(1, None, "2}")),
    ]
    assert told(*chunks) == [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]


def test_the_same_index_with_another_id_is_another_call() -> None:
    chunks = [calls(call(0, "f", '{"x":', "a")), calls(call(0, None, "1}")), calls(call(0, "f", "{}", "b"))]
    assert told(*chunks) == [("a", "f", '{"x":1}'), ("b", "f", "{}")]


def test_repeated_names_and_ids_are_said_once() -> None:
    chunks = [calls(call(0, "f", '{"x"', "a")), calls(call(0, "f", ":", "a")), calls(call(0, "f", "1}", "a"))]
    assert told(*chunks) == [("a", "f", '{"x":1}')]


def test_a_repeated_name_without_ids_after_whole_arguments_is_another_call() -> None:
    chunks = [calls(call(0, "f", '{"x":')), calls(call(0, "f", "1}")), calls(call(0, "f", "{}"))]
    assert told(*chunks) == [("new_f_0", "f", '{"x":1}'), ("new_f_1", "f", "{}")]


def test_a_name_in_pieces_or_late() -> None:
    assert told(calls(call(0, "get_", None, "a")), calls(call(0, "time", "{}"))) == [("a", "get_time", "{}")]
    assert told(calls(call(0, None, '{"x":', "a")), calls(call(0, "f", "1}"))) == [("a", "f", '{"x":1}')]


def test_a_missing_index_goes_on_with_the_last_call() -> None:
    chunks = [calls(call(None, "f", '{"x":', "a")), calls(call(None, None, "1}")), calls(call(None, "g", "{}", "b"))]
    assert told(*chunks) == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


@pytest.mark.parametrize("index", [-1, 10**9])
def test_an_odd_index_is_a_call_like_any_other(index: int) -> None:
    assert told(calls(call(index, "f", "{}", "a"))) == [("a", "f", "{}")]


def test_a_missing_id_is_made_once() -> None:
    deltas = read(calls(call(0, "f", '{"x"')), calls(call(0, None, ":1}")), END)
    assert [delta.id for delta in deltas if isinstance(delta, ToolCallDelta)] == ["new_f_0", None]


@pytest.mark.parametrize(
    ("arguments", "text"), [({"x": 1}, '{"x":1}'), ("{}", "{}"), ({}, "{}"), (None, "{}"), ("", "{}")]
)
def test_arguments_have_several_shapes(arguments: Any, text: str) -> None:
    assert told(calls(call(0, "f", arguments, "a"))) == [("a", "f", text)]


@pytest.mark.parametrize("arguments", [[1], 1, "[1]", '"{}"'])
def test_arguments_that_are_no_object_are_invalid(arguments: Any) -> None:
    completion = fold(read(calls(call(0, "f", arguments, "a")), END))
    assert completion.tool_calls == ()
    assert completion.invalid_tool_calls[0].name == "f"


def test_a_legacy_function_call() -> None:
    assert told(chunk(function_call={"name": "f", "arguments": "{}"})) == [("new_f_0", "f", "{}")]


def test_a_call_without_a_name_is_invalid() -> None:
    (invalid,) = fold(read(calls(call(0, None, "{}", "a")), END)).invalid_tool_calls
    assert "has no tool name" in invalid.error


def test_a_model_in_a_loop_is_stopped() -> None:
    assert len(told(*[calls(call(i, "f", "{}", f"c{i}")) for i in range(128)])) == 128
    with pytest.raises(ProtocolError, match="more than 128"):
        read(*[calls(call(i, "f", "{}", f"c{i}")) for i in range(129)])


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, Usage(1, 2, 3)),
        ({"input_tokens": "1", "output_tokens": 2}, Usage(1, 2, 3)),
        ({"prompt_eval_count": 1, "eval_count": 2}, Usage(1, 2, 3)),
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 2,
                "total_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 0, "created_cache_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Usage(1, 2, 3, 0, 4, 1),
        ),
        ({"input_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 6}, Usage(1, 0, 1, 5, 6)),
        ({"prompt_tokens": 1, "prompt_tokens_details": None, "reasoning_tokens": 2}, Usage(1, 0, 1, None, None, 2)),
        ({"prompt_tokens": "9" * 5000, "else": "9" * 5000, "completion_tokens": 2}, Usage(0, 2, 2)),
        ({"prompt_tokens": 0, "input_tokens": 5}, Usage(0, 0, 0)),
        ({}, Usage()),
    ],
)
def test_usage_in_three_dialects(usage: dict[str, Any], expected: Usage) -> None:
    assert read_usage(usage) == expected
    assert read({"choices": [], "usage": usage}) == [UsageReport(expected)]


def test_completions_are_text() -> None:
    assert fold(read({"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]})) == Completion(
        text="Hi", finish_reason="stop"
    )


def test_a_second_finish_reason_is_ignored() -> None:
    second = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": 7}]}
    assert read(calls(call(0, "f", "{}", "a")), END, second)[1:] == [Finish("tool_calls")]
    other = {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]}
    assert read(END, other) == [Finish("tool_calls"), Finish("length", None, 1)]


def test_a_new_id_without_an_index_is_another_call() -> None:
    chunks = [calls(call(None, "f", '{"x":')), calls(call(None, None, "1}")), calls(call(None, "f", '{"x":2}', "b"))]
    assert told(*chunks) == [("new_f_0", "f", '{"x":1}'), ("b", "f", '{"x":2}')]
    begun = [calls(call(None, "f")), calls(call(None, "g", "{}", "b"))]
    assert told(*begun) == [("new_f_0", "f", "{}"), ("b", "g", "{}")]
