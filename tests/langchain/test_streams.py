"""One answer in every way: complete or as a stream, blocking or not, as v0, v1 or v3."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
    message_to_dict,
    messages_from_dict,
)
from langchain_core.outputs import ChatGenerationChunk
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from langchain_vllm import ChatVllm
from langchain_vllm.errors import StreamInterruptedError
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from tests.langchain.scripted import Answer, Scripted

TOOL = {
    "type": "function",
    "function": {
        "name": "remove",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}
NO_ARGUMENTS = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
TOOLS = [TOOL, NO_ARGUMENTS]

ANSWERS = {
    "text": Answer("Hello there, friend."),
    "reasoning": Answer("42", reasoning="six times seven"),
    "call": Answer(calls=[("remove", '{"path": "/tmp/a"}')], finish="tool_calls"),
    "everything": Answer("Sure. ", "two of them", [("remove", '{"path": "ä"}'), ("now", "")], "tool_calls"),
    "stopped": Answer("until", stop_reason="STOP"),
    "stopped by a token": Answer("until", stop_reason=151645),
    "logprobs": Answer("three little words", logprobs=True),
    "cut call": Answer("Wait. ", calls=[("now", "{}"), ("remove", '{"path": "/home/us')], finish="length"),
    "cut call that looks complete": Answer(calls=[("remove", '{"path": "/home"}')], finish="length"),
    "garbage": Answer(calls=[("remove", "{path: /a, oops")], finish="tool_calls"),
    "list": Answer(calls=[("remove", "[1]")], finish="tool_calls"),
    "required is missing": Answer(calls=[("remove", "")], finish="tool_calls"),
    "null": Answer(calls=[("now", "null")], finish="tool_calls"),
    "twice": Answer(calls=[("remove", '{"path": "a", "path": "b"}')], finish="tool_calls"),
    "nan": Answer(calls=[("remove", '{"path": NaN}')], finish="tool_calls"),
    "two objects": Answer(calls=[("remove", '{"path": "a"}{"path": "b"}')], finish="tool_calls"),
    "deep": Answer(calls=[("remove", '{"path": ' + "[" * 5000 + "]" * 5000 + "}")], finish="tool_calls"),
}


def asked(answer: Answer, **fields: Any) -> Any:
    return Scripted([answer]).model(**fields).bind(tools=TOOLS)


def summed(chunks: list[Any]) -> Any:
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    return total


async def invoke(model: Any) -> Any:
    return model.invoke("Hi")


async def ainvoke(model: Any) -> Any:
    return await model.ainvoke("Hi")


async def stream(model: Any) -> Any:
    return summed(list(model.stream("Hi")))


async def astream(model: Any) -> Any:
    return summed([chunk async for chunk in model.astream("Hi")])


async def invoke_by_streaming(model: Any) -> Any:
    return model.invoke("Hi", stream=True)


async def v3(model: Any) -> Any:
    return model.stream_events("Hi", version="v3").output


async def av3(model: Any) -> Any:
    return await (await model.astream_events("Hi", version="v3")).output


WAYS = [invoke, ainvoke, stream, astream, invoke_by_streaming, v3, av3]


def seen(message: BaseMessage) -> dict[str, Any]:
    """Return the content of a message, without what depends on the way."""
    assert isinstance(message, AIMessage)
    metadata = {name: value for name, value in message.response_metadata.items() if name != "output_version"}
    blocks = [{k: v for k, v in dict(b).items() if k != "index"} for b in message.content_blocks]
    return {
        "text": message.text,
        "keywords": message.additional_kwargs,
        "calls": message.tool_calls,
        "invalid": message.invalid_tool_calls,
        "usage": message.usage_metadata,
        "metadata": metadata,
        "blocks": blocks,
    }


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("version", ["v0", "v1"])
async def test_every_way_returns_the_same_message(answer: Answer, way: Callable[[Any], Any], version: str) -> None:
    model = asked(answer, output_version=version)
    assert seen(await way(model)) == seen(await invoke(model))


@pytest.mark.parametrize("joined", [False, True])
async def test_events_that_arrive_together_are_one_chunk(joined: bool) -> None:
    model = Scripted([ANSWERS["everything"]], joined=joined).model()
    chunks = list(model.stream("Hi"))
    assert (len(chunks) == 2) is joined
    assert seen(summed(chunks)) == seen(await invoke(model))


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in ("text", "reasoning")])
def test_an_incomplete_call_is_never_in_tool_calls(name: str) -> None:
    chunks = list(asked(ANSWERS[name]).stream("Hi"))
    for end in range(1, len(chunks)):
        assert summed(chunks[:end]).tool_calls == []


INVALID = ["cut call", "cut call that looks complete", "garbage", "list", "required is missing", "twice", "nan", "deep"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", INVALID)
async def test_invalid_calls_keep_their_text_and_their_id(name: str, way: Callable[[Any], Any]) -> None:
    answer = ANSWERS[name]
    message = await way(asked(answer))
    (call,) = message.invalid_tool_calls
    assert (call["name"], call["args"] or "") == answer.calls[-1]
    assert call["id"] == f"call_{len(answer.calls) - 1}"
    assert call["error"]
    assert [c["name"] for c in message.tool_calls] == [n for n, _ in answer.calls[:-1]]


async def test_a_truncated_stream_raises_and_has_no_call() -> None:
    answer = Answer("Sure. ", calls=[("remove", '{"path": "/home')], cut=True)
    chunks: list[Any] = []
    with pytest.raises(StreamInterruptedError) as caught:
        chunks.extend(asked(answer).stream("Hi"))
    assert summed(chunks).tool_calls == []
    assert caught.value.partial is not None
    assert caught.value.partial.tool_calls == ()
    with pytest.raises(StreamInterruptedError):
        await astream(asked(answer))
    with pytest.raises(StreamInterruptedError):
        await v3(asked(answer))


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "null"])  # of which its validator knows nothing
def test_events_follow_the_protocol(name: str) -> None:
    events = list(asked(ANSWERS[name]).stream_events("Hi", version="v3"))
    assert_valid_event_stream(events)
    assert events[0]["metadata"] == {"provider": "vllm", "model": "demo"}
    assert events[0]["id"].startswith("lc_run-")


def test_blocks_of_chunks_have_distinct_indexes() -> None:
    model = asked(ANSWERS["everything"], output_version="v1")
    chunks = list(model.stream("Hi"))
    indexes = {block["index"] for chunk in chunks for block in chunk.content}
    assert indexes == {"lc_rs_0", "lc_txt_0", "lc_tc_0", "lc_tc_1"}
    assert summed(chunks).content == [
        {"type": "reasoning", "reasoning": "two of them", "index": "lc_rs_0"},
        {"type": "text", "text": "Sure. ", "index": "lc_txt_0"},
        {"type": "tool_call", "name": "remove", "args": {"path": "ä"}, "id": "call_0"},
        {"type": "tool_call", "name": "now", "args": {}, "id": "call_1"},
    ]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_usage_and_metadata_are_in_one_chunk(answer: Answer) -> None:
    chunks = list(asked(answer).stream("Hi"))
    assert [bool(chunk.usage_metadata) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert [chunk.chunk_position for chunk in chunks] == [None] * (len(chunks) - 1) + ["last"]
    assert all(chunk.response_metadata["model_provider"] == "vllm" for chunk in chunks)
    for name in ("model_name", "id", "created", "system_fingerprint", "finish_reason", "stop_reason"):
        assert sum(name in chunk.response_metadata for chunk in chunks) <= 1
    total = summed(chunks)
    assert total.response_metadata["model_name"] == "demo"
    assert total.response_metadata["finish_reason"] == answer.finish
    assert total.usage_metadata == {
        "input_tokens": 11,
        "output_tokens": 7,
        "total_tokens": 18,
        "input_token_details": {"cache_read": 4},
        "output_token_details": {"reasoning": 3},
    }


def test_logprobs_are_in_the_chunk_of_their_tokens() -> None:
    chunks = list(asked(ANSWERS["logprobs"]).stream("Hi"))
    texts = [chunk.response_metadata["logprobs"]["content"][0]["token"] for chunk in chunks[:-1]]
    assert "".join(texts) == summed(chunks).text


def chunks_of(name: str) -> list[AIMessageChunk]:
    return list(asked(ANSWERS[name]).stream("Hi"))


@pytest.mark.parametrize("name", ["everything", "cut call", "cut call that looks complete"])
class TestSums:
    def test_a_chunk_can_be_added_to_a_plain_chunk(self, name: str) -> None:
        chunks = chunks_of(name)
        total: Any = AIMessageChunk(content="")
        for chunk in chunks:
            total = total + chunk
        assert seen(total) == seen(summed(chunks))

    def test_a_list_of_chunks_can_be_added(self, name: str) -> None:
        first, *others = chunks_of(name)
        assert first + others == summed([first, *others])

    def test_generations_can_be_added(self, name: str) -> None:
        chunks = chunks_of(name)
        generations = [ChatGenerationChunk(message=chunk) for chunk in chunks]
        assert summed(generations).message == summed(chunks)

    def test_langchain_converts_a_sum_to_a_message(self, name: str) -> None:
        total = summed(chunks_of(name))
        message = message_chunk_to_message(total)
        assert type(message) is AIMessage
        assert (message.tool_calls, message.invalid_tool_calls) == (total.tool_calls, total.invalid_tool_calls)

    def test_copies_and_pickles_are_equal(self, name: str) -> None:
        total = summed(chunks_of(name))
        assert pickle.loads(pickle.dumps(total)) == total  # noqa: S301 - our own bytes
        assert copy.deepcopy(total) == total
        assert total.model_copy() == total
        assert AIMessage(**total.model_dump()) == message_chunk_to_message(total)
        assert AIMessage.model_validate_json(total.model_dump_json()) == message_chunk_to_message(total)

    @pytest.mark.parametrize("strict", [True, False])
    def test_checkpoints_keep_the_complete_message(self, name: str, strict: bool) -> None:
        total = summed(chunks_of(name))
        serializer = JsonPlusSerializer(allowed_msgpack_modules=None if strict else True)
        once = serializer.loads_typed(serializer.dumps_typed([total]))
        twice = serializer.loads_typed(serializer.dumps_typed(once))
        assert [type(message) for message in twice] == [AIMessage]
        assert twice == [message_chunk_to_message(total)]
        assert messages_from_dict([message_to_dict(total)]) == twice

    def test_a_chunk_in_a_checkpoint_is_a_chunk(self, name: str) -> None:
        serializer = JsonPlusSerializer(allowed_msgpack_modules=None)
        for chunk in chunks_of(name):
            loaded = serializer.loads_typed(serializer.dumps_typed(chunk))
            assert type(loaded) is AIMessageChunk
            assert loaded.tool_call_chunks == chunk.tool_call_chunks

    @pytest.mark.filterwarnings("ignore:The function `load` is in beta")
    def test_loading_keeps_invalid_calls_invalid(self, name: str) -> None:
        total = summed(chunks_of(name))
        once = load(dumpd(total), allowed_objects="messages")
        twice = load(dumpd(once), allowed_objects="messages")
        assert twice.tool_calls == total.tool_calls
        assert twice.invalid_tool_calls == total.invalid_tool_calls


def test_chunks_of_different_classes_can_be_equal() -> None:
    chunk = chunks_of("text")[0]
    plain = AIMessageChunk(**{k: v for k, v in chunk.__dict__.items() if k != "type"})
    assert chunk == plain
    assert plain == chunk
    assert chunk != AIMessageChunk(content="other")
    assert chunk != AIMessage("Hell")


def test_a_stream_of_several_answers_is_refused() -> None:
    script = Scripted([ANSWERS["text"]])
    with pytest.raises(ValueError, match="n > 1"):
        list(script.model(n=2).stream("Hi"))
    assert script.asked == []


def test_leaving_a_stream_closes_it() -> None:
    model: ChatVllm = Scripted([ANSWERS["text"]]).model()
    stream = model.stream("Hi")
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator, which Iterator does not tell
    assert list(model.stream("Hi"))
