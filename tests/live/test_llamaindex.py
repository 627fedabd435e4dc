"""LlamaIndex's agents and chats against real servers, with the right parsers, without any, with a wrong one."""

from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCallResult
from llama_index.core.llms import ChatMessage
from llama_index_vllm import VllmLLM
from pydantic import BaseModel

pytestmark = pytest.mark.live

SERVERS = pytest.mark.parametrize("server", ["flagged_server", "plain_server", "wrong_server", "dropping_server"])


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


class Person(BaseModel):
    """A person."""

    name: str
    city: str


@SERVERS
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent_works(request: pytest.FixtureRequest, server: str, *, streaming: bool) -> None:
    async with VllmLLM(base_url=request.getfixturevalue(server), model="demo", temperature=0) as llm:
        agent = FunctionAgent(llm=llm, tools=[add, multiply], streaming=streaming)
        handler = agent.run("What is 2 + (3 * 4)?")
        results, reasoning = [], ""
        async for event in handler.stream_events():
            if isinstance(event, ToolCallResult):
                results.append((event.tool_name, event.tool_kwargs, event.tool_output.content))
            elif isinstance(event, AgentStream):
                reasoning += event.thinking_delta or ""
        answer: Any = await handler
    assert results == [("multiply", {"a": 3, "b": 4}, "12"), ("add", {"a": 2, "b": 12}, "14")]
    assert (answer.response.content or "").strip() == "The result is 14."
    if streaming:
        assert "I should use a tool for this." in reasoning


@SERVERS
def test_chat_and_its_stream_agree(request: pytest.FixtureRequest, server: str) -> None:
    with VllmLLM(base_url=request.getfixturevalue(server), model="demo", temperature=0) as llm:
        message = [ChatMessage(role="user", content="Hello")]
        whole = llm.chat(message)
        *_, last = llm.stream_chat(message)
        assert last.message.content == whole.message.content
        assert whole.additional_kwargs["total_tokens"] == last.additional_kwargs["total_tokens"] > 0
        assert llm.complete("Hello").text == whole.message.content
        assert "".join(part.delta or "" for part in llm.stream_complete("Hello")) == whole.message.content


@SERVERS
def test_structured_prediction(request: pytest.FixtureRequest, server: str) -> None:
    from llama_index.core.prompts import PromptTemplate  # noqa: PLC0415 - only here

    with VllmLLM(base_url=request.getfixturevalue(server), model="demo", temperature=0, max_tokens=300) as llm:
        prompt = PromptTemplate("Extract the person: {name} lives in {city}.")
        person = llm.structured_predict(Person, prompt, name="Alice", city="Paris")
        assert isinstance(person, Person)
        *_, last = llm.stream_structured_predict(Person, prompt, name="Alice", city="Paris")
        assert last == person


def test_the_context_window_comes_from_the_server(flagged_server: str) -> None:
    with VllmLLM(base_url=flagged_server, model="demo") as llm:
        assert llm.metadata.context_window == 4096
