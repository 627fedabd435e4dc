"""Refusals, as langchain-core has them: blocks of a message, and an error where an answer is to be parsed."""

from typing import Any

import pytest
from langchain_core import exceptions
from langchain_core.messages import AIMessage
from langchain_vllm.errors import RefusalError
from pydantic import BaseModel

from tests.langchain.scripted import Answer, Scripted

REFUSED = Answer(refusal="I cannot help with that.")
FILTERED = Answer("Once upon", finish="content_filter")
BLOCK = {"type": "refusal", "refusal": "I cannot help with that."}


class City(BaseModel):
    name: str


async def answers(answer: Answer) -> list[AIMessage]:
    """Ask in every way, and sum the streams."""
    model = Scripted([answer] * 4).model()
    streamed = list(model.stream("Hi"))
    pieces = [chunk async for chunk in model.astream("Hi")]
    sums: list[Any] = [sum(chunks[1:], chunks[0]) for chunks in (streamed, pieces)]
    return [model.invoke("Hi"), await model.ainvoke("Hi"), *sums]


async def test_a_refusal_is_a_block_and_text() -> None:
    for message in await answers(REFUSED):
        assert message.content_blocks == [BLOCK]
        assert message.text == REFUSED.refusal


async def test_a_filtered_answer_has_a_refusal_without_text() -> None:
    for message in await answers(FILTERED):
        text, refusal = message.content_blocks
        assert text == {"type": "text", "text": "Once upon"}
        assert refusal == {"type": "refusal", "refusal": "", "extras": {"category": "content_filter"}}


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_a_refusal_is_an_error_where_an_answer_is_parsed(method: Any) -> None:
    ask = Scripted([REFUSED] * 3).model().with_structured_output(City, method=method)
    with pytest.raises(RefusalError, match="the model refused to answer") as caught:
        ask.invoke("Hi")
    assert isinstance(caught.value, getattr(exceptions, "ModelRefusalError", exceptions.ModelError))
    assert REFUSED.refusal not in str(caught.value)
    assert caught.value.raw_message is not None
    assert caught.value.raw_message.content_blocks == [BLOCK]


def test_a_refusal_is_a_parsing_error_beside_the_message() -> None:
    ask = Scripted([REFUSED]).model().with_structured_output(City, include_raw=True)
    answer: Any = ask.invoke("Hi")
    assert (answer["parsed"], type(answer["parsing_error"])) == (None, RefusalError)


@pytest.mark.newest
async def test_refusal_middleware_acts() -> None:
    from langchain.agents import create_agent  # noqa: PLC0415 - the oldest supported LangChain lacks the middleware

    middleware = pytest.importorskip("langchain.agents.middleware.model_refusal")
    agent: Any = create_agent(Scripted([REFUSED]).model(), [], middleware=[middleware.ModelRefusalMiddleware()])
    with pytest.raises(exceptions.ModelError, match="cannot help"):
        await agent.ainvoke({"messages": "Hi"})
