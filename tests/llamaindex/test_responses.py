"""Deltas are converted to complete responses, and to chunks that repeat what came before."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index_vllm.responses import (
    ResponseChunks,
    ResponseConverter,
    assistant_message,
    chat_response,
    completion_response,
    text_block,
    thinking_block,
    to_completion_response,
    tool_call_block,
)
from pydantic import BaseModel
from vllm_connect import (
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
    fold,
)

USAGE = Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7, cached_tokens=1, reasoning_tokens=2)
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"required": ["a"]}}}]
ANSWER: list[Delta] = [
    Metadata({"id": "x", "model": "demo"}),
    ReasoningDelta("Hm"),
    ReasoningDelta("."),
    TextDelta("Hel"),
    TextDelta("lo"),
    ToolCallDelta(0, "call_0", "add", ""),
    ToolCallDelta(0, arguments='{"a": '),
    ToolCallDelta(0, arguments='[1, "x'),
    ToolCallDelta(0, arguments='y"]}'),
    ToolCallDelta(1, "call_1", "add", '{"a": 2}'),
    Finish("tool_calls"),
    UsageReport(USAGE),
]


def chunks(groups: Sequence[Sequence[Delta]], converter: ResponseConverter | None = None) -> list[ChatResponse]:
    stream = ResponseChunks(converter or ResponseConverter())
    return [chunk for group in groups if (chunk := stream.push(group)) is not None]


def singly(deltas: Sequence[Delta], converter: ResponseConverter | None = None) -> list[ChatResponse]:
    return chunks([[delta] for delta in deltas], converter)


def raw(response: ChatResponse | CompletionResponse) -> dict[str, Any]:
    """Narrow the type of `raw`, which is Any or None in LlamaIndex."""
    assert isinstance(response.raw, dict)
    return response.raw


def test_the_last_chunk_equals_a_complete_response() -> None:
    whole = ResponseConverter().response([fold(ANSWER)])
    last = singly(ANSWER)[-1]
    assert last.message == whole.message
    assert {**whole.additional_kwargs, "thinking_delta": ""} == last.additional_kwargs
    assert raw(last)["usage"] == raw(whole)["usage"]


@given(st.lists(st.booleans(), min_size=len(ANSWER) - 1, max_size=len(ANSWER) - 1))
def test_the_grouping_of_deltas_makes_no_difference(cuts: list[bool]) -> None:
    groups: list[list[Delta]] = [[ANSWER[0]]]
    for delta, cut in zip(ANSWER[1:], cuts, strict=True):
        if cut:
            groups.append([delta])
        else:
            groups[-1].append(delta)
    assert chunks(groups)[-1].message == ResponseConverter().response([fold(ANSWER)]).message


def test_every_chunk_repeats_all_that_came_before() -> None:
    seen = singly(ANSWER)
    assert [chunk.message.content for chunk in seen] == ["", "", "Hel", *["Hello"] * 8]
    assert [chunk.delta for chunk in seen] == ["", "", "Hel", "lo", *[""] * 7]
    assert [chunk.additional_kwargs["thinking_delta"] for chunk in seen] == ["Hm", ".", *[""] * 9]
    assert [len(chunk.message.blocks) for chunk in seen] == [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4]
    thinking = [block.content for chunk in seen for block in chunk.message.blocks if isinstance(block, ThinkingBlock)]
    assert thinking == ["Hm", *["Hm."] * 10]


def test_arguments_are_shown_as_far_as_they_go() -> None:
    shown = [
        [block.tool_kwargs for block in chunk.message.blocks if isinstance(block, ToolCallBlock)]
        for chunk in singly(ANSWER)
    ]
    assert shown[4:] == [
        [{}],
        [{}],
        [{"a": [1, "x"]}],
        [{"a": [1, "xy"]}],
        *[[{"a": [1, "xy"]}, {"a": 2}]] * 3,
    ]


def test_calls_are_in_additional_kwargs_too() -> None:
    seen = singly(ANSWER)
    assert all("tool_calls" not in chunk.message.additional_kwargs for chunk in seen[:4])
    assert seen[-1].message.additional_kwargs == {
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "add", "arguments": '{"a": [1, "xy"]}'}},
            {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}},
        ]
    }


def test_blocks_are_in_a_fixed_order() -> None:
    message = ResponseConverter().response([fold(ANSWER)]).message
    assert [type(block) for block in message.blocks] == [ThinkingBlock, TextBlock, ToolCallBlock, ToolCallBlock]


def test_a_message_of_calls_has_no_text_block() -> None:
    deltas = [*ANSWER[5:]]
    for message in (ResponseConverter().response([fold(deltas)]).message, singly(deltas)[-1].message):
        assert message.content is None
        assert [type(block) for block in message.blocks] == [ToolCallBlock, ToolCallBlock]


def test_an_empty_answer_is_empty_text() -> None:
    (chunk,) = chunks([[Metadata({"id": "x"})], [Finish("stop")]])
    assert chunk.message == ChatMessage(role="assistant", content="")
    assert chunk.additional_kwargs == {"thinking_delta": "", "finish_reason": "stop"}


def test_chunks_share_no_mutable_object() -> None:
    seen = singly(ANSWER)
    before = [chunk.model_dump() for chunk in seen]
    last = seen[-1]
    last.message.blocks.clear()
    last.message.additional_kwargs["tool_calls"][0]["function"]["arguments"] = "changed"
    last.additional_kwargs.clear()
    raw(last).clear()
    assert [chunk.model_dump() for chunk in seen[:-1]] == before[:-1]
    for one, other in itertools.pairwise(seen[:-1]):
        assert one.message is not other.message
        assert one.message.blocks is not other.message.blocks
        assert not {id(block) for block in one.message.blocks} & {id(block) for block in other.message.blocks}
        kwargs = [
            {id(block.tool_kwargs) for block in chunk.message.blocks if isinstance(block, ToolCallBlock)}
            for chunk in (one, other)
        ]
        assert not kwargs[0] & kwargs[1] or one.additional_kwargs.get("finish_reason")


def test_token_counts_are_where_handlers_look() -> None:
    last = singly(ANSWER)[-1]
    assert raw(last)["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert last.additional_kwargs == {
        "thinking_delta": "",
        "finish_reason": "tool_calls",
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "cached_tokens": 1,
        "reasoning_tokens": 2,
    }
    thinking = last.message.blocks[0]
    assert isinstance(thinking, ThinkingBlock)
    assert thinking.num_tokens == 2


def test_the_key_usage_is_always_there() -> None:
    assert all("usage" in raw(chunk) for chunk in singly(ANSWER))
    assert raw(ResponseConverter().response([fold([TextDelta("a"), Finish("stop")])]))["usage"] is None


def test_continuous_usage_is_in_each_chunk() -> None:
    first, last = chunks([[TextDelta("a"), UsageReport(Usage(1, 1, 2))], [Finish("stop"), UsageReport(Usage(1, 2, 3))]])
    assert (first.additional_kwargs["total_tokens"], last.additional_kwargs["total_tokens"]) == (2, 3)


def test_raw_has_only_what_arrived_with_the_chunk() -> None:
    seen = singly([*ANSWER[:-2], Metadata({"metrics": {"ttft": 1}}), *ANSWER[-2:]])
    deltas = [raw(chunk)["choices"][0]["delta"] for chunk in seen]
    assert deltas == [
        {"reasoning": "Hm"},
        {"reasoning": "."},
        {"content": "Hel"},
        {"content": "lo"},
        {"tool_calls": [_fragment(0, "", id="call_0")]},
        {"tool_calls": [_fragment(0, '{"a": ')]},
        {"tool_calls": [_fragment(0, '[1, "x')]},
        {"tool_calls": [_fragment(0, 'y"]}')]},
        {"tool_calls": [_fragment(1, '{"a": 2}', id="call_1")]},
        {},
        {},
        {},
    ]
    assert [raw(chunk).get("metrics") for chunk in seen] == [*[None] * 9, {"ttft": 1}, None, None]
    assert all((raw(chunk)["id"], raw(chunk)["model"]) == ("x", "demo") for chunk in seen)
    assert [raw(chunk)["choices"][0]["finish_reason"] for chunk in seen] == [*[None] * 10, *["tool_calls"] * 2]


def _fragment(index: int, arguments: str, **first: str) -> dict[str, Any]:
    name = {"name": "add"} if first else {}
    kind = {"type": "function"} if first else {}
    return {"index": index, "function": {**name, "arguments": arguments}, **first, **kind}


def test_raw_of_a_complete_answer_is_in_openai_s_format() -> None:
    answer = fold([*ANSWER[:-2], Finish("stop", "END"), UsageReport(Usage(1, 2, 3))])
    assert raw(ResponseConverter().response([answer])) == {
        "id": "x",
        "model": "demo",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "reasoning": "Hm.",
                    "tool_calls": [
                        {
                            "id": "call_0",
                            "type": "function",
                            "function": {"name": "add", "arguments": '{"a": [1, "xy"]}'},
                        },
                        {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}},
                    ],
                },
                "finish_reason": "stop",
                "stop_reason": "END",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


TRUNCATED: list[Delta] = [
    ToolCallDelta(0, "a", "add", '{"a": 1}'),
    ToolCallDelta(1, "b", "add", '{"a": 1, "b'),
    Finish("length"),
]


def test_a_truncated_call_is_text_and_listed_as_invalid() -> None:
    for response in (
        ResponseConverter(TOOLS).response([fold(TRUNCATED, tools=TOOLS)]),
        singly(TRUNCATED, ResponseConverter(TOOLS))[-1],
    ):
        kwargs = [block.tool_kwargs for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        assert kwargs == [{"a": 1}, '{"a": 1, "b']
        (invalid,) = response.additional_kwargs["invalid_tool_calls"]
        assert (invalid["id"], invalid["name"], invalid["arguments"]) == ("b", "add", '{"a": 1, "b')
        assert "length" in invalid["error"]


def test_tools_have_llama_index_s_names_in_responses() -> None:
    converter = ResponseConverter(tool_names={"add": "my add"})
    for response in (converter.response([fold(ANSWER)]), singly(ANSWER, converter)[-1]):
        names = {block.tool_name for block in response.message.blocks if isinstance(block, ToolCallBlock)}
        assert names == {call["function"]["name"] for call in response.message.additional_kwargs["tool_calls"]}
        assert names == {"my add"}


def test_log_probabilities_are_in_the_chunk_of_their_tokens() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    best = {**token, "top_logprobs": [{"token": "b", "logprob": -0.1, "bytes": None}, token]}
    first, second, last = chunks(
        [[TextDelta("a"), Logprobs([token])], [TextDelta("a"), Logprobs([best])], [Finish("stop")]]
    )
    assert first.logprobs is not None
    assert second.logprobs is not None
    assert [[entry.token for entry in entries] for entries in first.logprobs] == [["a"]]
    assert [[(entry.token, entry.bytes) for entry in entries] for entries in second.logprobs] == [
        [("b", []), ("a", [97])]
    ]
    assert last.logprobs is None
    whole = ResponseConverter().response([fold([TextDelta("aa"), Logprobs([token]), Logprobs([best]), Finish("stop")])])
    assert whole.logprobs == [*first.logprobs, *second.logprobs]
    assert raw(whole)["choices"][0]["logprobs"] == {"content": [token, best]}


def test_a_completion_response_has_the_same_content() -> None:
    response = singly(ANSWER)[-1]
    shown = to_completion_response(response)
    assert (shown.text, shown.delta, shown.raw) == ("Hello", "", raw(response))
    assert shown.additional_kwargs == response.additional_kwargs


def test_a_message_can_be_serialised_as_json() -> None:
    for chunk in singly(ANSWER):
        assert ChatMessage.model_validate_json(chunk.message.model_dump_json()) == chunk.message


LOGPROBS = [[LogProb(token="a", logprob=-0.5)]]
CONSTRUCTED: list[tuple[BaseModel, BaseModel]] = [
    (text_block("a"), TextBlock(text="a")),
    (thinking_block("a", None), ThinkingBlock(content="a", num_tokens=None)),
    (thinking_block("a", 3), ThinkingBlock(content="a", num_tokens=3)),
    (
        tool_call_block("a", "b", {"c": 1}),
        ToolCallBlock(tool_call_id="a", tool_name="b", tool_kwargs={"c": 1}),
    ),
    (tool_call_block("a", "b", "{"), ToolCallBlock(tool_call_id="a", tool_name="b", tool_kwargs="{")),
    (
        assistant_message([TextBlock(text="a")], {"b": 1}),
        ChatMessage(role="assistant", blocks=[TextBlock(text="a")], additional_kwargs={"b": 1}),
    ),
    (
        chat_response(ChatMessage("a"), {"b": 1}, "a", LOGPROBS, {"c": 1}),
        ChatResponse(message=ChatMessage("a"), delta="a", raw={"b": 1}, logprobs=LOGPROBS, additional_kwargs={"c": 1}),
    ),
    (
        completion_response("a", {"b": 1}, None, None, {}),
        CompletionResponse(text="a", raw={"b": 1}, delta=None, logprobs=None, additional_kwargs={}),
    ),
]


@pytest.mark.parametrize(("built", "constructed"), CONSTRUCTED)
def test_an_object_equals_that_of_the_constructor(built: BaseModel, constructed: BaseModel) -> None:
    assert built == constructed
    assert built.__dict__ == constructed.__dict__
    assert list(built.__dict__) == list(constructed.__dict__)
    assert built.model_dump_json() == constructed.model_dump_json()
    assert built.model_copy(deep=True) == constructed
    for name in ("__pydantic_extra__", "__pydantic_private__"):
        assert getattr(built, name) == getattr(constructed, name)
    assert built.model_fields_set == constructed.model_fields_set


@pytest.mark.parametrize(("ended", "reason"), [(True, "length"), (False, "stop")])
def test_whether_a_call_has_ended_decides_more_than_the_finish_reason(ended: bool, reason: str) -> None:
    chunks = ResponseChunks(ResponseConverter())
    chunks.push([ToolCallDelta(0, "call_0", "add", '{"a": 1}', ended=ended)])
    last = chunks.push([ToolCallDelta(0), Finish(reason)])
    assert last is not None
    assert ("invalid_tool_calls" in last.additional_kwargs) is not ended
