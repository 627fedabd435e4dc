"""Agents with tools and a form of the answer: the tools are called, and the answer has the form."""

from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import ToolMessage
from langchain_vllm import ChatVllm
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index_vllm import VllmLLM
from pydantic import BaseModel

pytestmark = pytest.mark.live

SERVERS = pytest.mark.parametrize("server", ["flagged_server", "plain_server", "wrong_server"])
QUESTION = "What is 2 + (3 * 4)?"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


class Verdict(BaseModel):
    """What to think of it."""

    model_config = {"extra": "forbid"}

    verdict: Literal["yes", "no"]


def check(state: dict[str, Any]) -> None:
    results = [message.content for message in state["messages"] if isinstance(message, ToolMessage)]
    assert {"12", "14"} <= set(results)
    assert isinstance(state["structured_response"], Verdict)


@SERVERS
@pytest.mark.parametrize("strategy", [Verdict, ProviderStrategy(Verdict)], ids=["chosen", "provider"])
async def test_the_server_holds_an_agents_answer_to_a_schema(
    request: pytest.FixtureRequest, server: str, strategy: Any
) -> None:
    async with ChatVllm(base_url=request.getfixturevalue(server), model="demo", temperature=0, max_tokens=300) as model:
        agent = create_agent(model, [add, multiply], response_format=strategy)
        check(agent.invoke({"messages": QUESTION}))
        check(await agent.ainvoke({"messages": QUESTION}))
        check([state async for state in agent.astream({"messages": QUESTION}, stream_mode="values")][-1])


@pytest.mark.parametrize("server", ["flagged_server", "plain_server"])
async def test_an_agents_answer_is_a_call_of_a_tool(request: pytest.FixtureRequest, server: str) -> None:
    async with ChatVllm(
        base_url=request.getfixturevalue(server), model="demo", temperature=0, max_tokens=300, seed=1
    ) as model:
        agent: Any = create_agent(model, [add, multiply], response_format=ToolStrategy(Verdict))
        state = await agent.ainvoke({"messages": "Hello"}, config={"recursion_limit": 12})
    assert isinstance(state["structured_response"], Verdict)


@SERVERS
async def test_a_function_agent_gives_an_object(request: pytest.FixtureRequest, server: str) -> None:
    async with VllmLLM(
        base_url=request.getfixturevalue(server), model="demo", temperature=0, max_tokens=300, reasoning=False
    ) as llm:
        agent = FunctionAgent(llm=llm, tools=[add, multiply], output_cls=Verdict)
        handler = agent.run(QUESTION)
        results = [event async for event in handler.stream_events() if isinstance(event, ToolCallResult)]
        output: Any = await handler
    assert {"12", "14"} <= {str(result.tool_output) for result in results}
    assert isinstance(output.get_pydantic_model(Verdict), Verdict)
