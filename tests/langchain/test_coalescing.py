"""Events that arrive together are one chunk, unless that is disabled; the answer is the same."""

from typing import Any

import pytest
from vllm_connect import SSEDecoder
from vllm_connect.protocol.split_events import split_events

from tests.langchain.scripted import Answer, Scripted

ANSWERS = {
    "text": Answer("Hello there, my old friend."),
    "reasoning": Answer("42", reasoning="six times seven is forty-two"),
    "call": Answer(calls=[("remove", '{"path": "/home/user/file"}')], finish="tool_calls"),
    "logprobs": Answer("three little words and more", logprobs=True),
}


async def read(way: str, model: Any) -> list[Any]:
    return list(model.stream("Hi")) if way == "stream" else [chunk async for chunk in model.astream("Hi")]


def summed(chunks: list[Any]) -> Any:
    return sum(chunks[1:], start=chunks[0])


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_events_that_arrive_together_are_one_complete_chunk(answer: Answer, way: str) -> None:
    together = await read(way, Scripted([answer], joined=True).model())
    one_by_one = await read(way, Scripted([answer]).model())
    switched_off = await read(way, Scripted([answer], joined=True).model(coalesce=False))
    shown = [chunk for chunk in together if chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs]
    assert len(shown) == 1
    assert len(switched_off) == len(one_by_one) > len(together) + 3
    for chunks in (together, switched_off):
        total, wanted = summed(chunks), summed(one_by_one)
        assert total.content == wanted.content == answer.text
        assert total.tool_calls == wanted.tool_calls
        assert total.additional_kwargs == wanted.additional_kwargs
        assert total.usage_metadata == wanted.usage_metadata
        assert total.response_metadata == wanted.response_metadata


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_splitting_events_loses_nothing(end: bytes) -> None:
    data = b": hello" + end + b"data: 1" + end + b"data: 2" + end + b"da"
    assert b"".join(split_events(data)) == data
    decoder = SSEDecoder()
    assert [decoder.feed(piece) for piece in split_events(data)] == [[], ["1"], ["2"], []]
    assert split_events(b"") == []
