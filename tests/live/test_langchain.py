"""LangChain's standard suite and its agents against real servers, with the right parsers, without any, with a wrong one."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langchain_vllm import ChatVllm

from tests.langchain.standard import ChatVllmStandardTests

pytestmark = pytest.mark.live

SERVERS = pytest.mark.parametrize("server", ["flagged_server", "plain_server", "wrong_server", "dropping_server"])


class TestWithParsers(ChatVllmStandardTests):
    """The standard suite on a server with the right parsers."""

    @pytest.fixture
    def vllm_url(self, flagged_server: str) -> str:
        return flagged_server


class TestWithoutFlags(ChatVllmStandardTests):
    """The standard suite on a server without parser flags."""

    @pytest.fixture
    def vllm_url(self, plain_server: str) -> str:
        return plain_server


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


QUESTION: Any = {"messages": [("user", "What is 2 + (3 * 4)?")]}


def check(messages: list[object]) -> None:
    calls = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    assert [(call["name"], call["args"]) for call in calls] == [
        ("multiply", {"a": 3, "b": 4}),
        ("add", {"a": 2, "b": 12}),
    ]
    assert [m.content for m in messages if isinstance(m, ToolMessage)] == ["12", "14"]
    last = messages[-1]
    assert isinstance(last, AIMessage)
    assert last.text.strip() == "The result is 14."
    assert last.usage_metadata is not None
    first = next(m for m in messages if isinstance(m, AIMessage))
    assert first.additional_kwargs["reasoning_content"].strip() == "I should use a tool for this."


@SERVERS
def test_an_agent_works(request: pytest.FixtureRequest, server: str) -> None:
    with ChatVllm(base_url=request.getfixturevalue(server), model="demo", temperature=0) as model:
        agent = create_agent(model, [add, multiply])
        check(agent.invoke(QUESTION)["messages"])
        *_, last = agent.stream(QUESTION, stream_mode="values")
        check(last["messages"])


@SERVERS
async def test_an_agent_works_async(request: pytest.FixtureRequest, server: str) -> None:
    async with ChatVllm(base_url=request.getfixturevalue(server), model="demo", temperature=0) as model:
        agent = create_agent(model, [add, multiply])
        check((await agent.ainvoke(QUESTION))["messages"])
        text = ""
        async for message, _ in agent.astream(QUESTION, stream_mode="messages"):
            if isinstance(message, AIMessage):
                text += message.text
        assert text.strip().endswith("The result is 14.")
