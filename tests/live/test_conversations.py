"""Conversations and histories that templates refuse, on a real server that renders each family's rules."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_vllm import ChatVllm
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole, ToolCallBlock
from llama_index.core.tools import FunctionTool
from llama_index_vllm import VllmLLM
from vllm_connect import BadRequestError, ChatRequest, VllmClient, VllmConfig

from tests.templates.roles import ROLE_RULES, template

pytestmark = pytest.mark.live

RULES = pytest.mark.parametrize("family", [name for name in ROLE_RULES if name != "internvl"])
"""All families but the one that wants strings: the server itself makes strings or parts of content, by the template."""


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


POISONED: list[BaseMessage] = [
    HumanMessage("Hello"),
    AIMessage(
        "",
        invalid_tool_calls=[{"id": "a", "name": "add", "args": '{"a": ', "error": "cut", "type": "invalid_tool_call"}],
    ),
    ToolMessage("It could not be run.", tool_call_id="a"),
    ToolMessage("42", tool_call_id="nobody's"),
    SystemMessage("Be quick."),
    HumanMessage("Never mind."),
    HumanMessage("What is 2 + (3 * 4)?"),
]


@RULES
def test_a_langchain_agent_survives(plain_server: str, family: str) -> None:
    with ChatVllm(base_url=plain_server, temperature=0, chat_template=template(family)) as model:
        messages: Any = {"messages": POISONED}
        *_, last = create_agent(model, [add, multiply], system_prompt="You help.").invoke(messages)["messages"]
        longer: Any = {"messages": [*POISONED, last, HumanMessage("Hello")]}
        again = create_agent(model, [add, multiply]).invoke(longer)
    assert last.text.strip()
    assert again["messages"][-1].text.strip()


@RULES
async def test_a_llama_index_agent_survives(plain_server: str, family: str) -> None:
    broken = ToolCallBlock(tool_call_id="a", tool_name="add", tool_kwargs='{"a": ')
    history = [
        ChatMessage(role="user", content="Hello"),
        ChatMessage(role="assistant", blocks=[broken]),
        ChatMessage(role=MessageRole.TOOL, content="No.", additional_kwargs={"tool_call_id": "a"}),
        ChatMessage(role=MessageRole.TOOL, content="42", additional_kwargs={"tool_call_id": "nobody's"}),
        ChatMessage(role="system", content="Be quick."),
        ChatMessage(role="user", content="Never mind."),
    ]
    llm = VllmLLM(base_url=plain_server, temperature=0, chat_template=template(family))
    tools = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(multiply)]
    agent = FunctionAgent(llm=llm, tools=tools, system_prompt="You help.")
    answer = await agent.run("What is 2 + (3 * 4)?", chat_history=history)
    assert str(answer).strip()


def test_two_calls_of_one_turn_are_parted_where_the_template_takes_one(plain_server: str) -> None:
    def call(name: str) -> dict[str, Any]:
        return {"id": name, "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}

    messages = [
        {"role": "user", "content": "What is 1 + 2, twice?"},
        {"role": "assistant", "content": "", "tool_calls": [call("one"), call("two")]},
        {"role": "tool", "tool_call_id": "one", "content": "3"},
        {"role": "tool", "tool_call_id": "two", "content": "3"},
    ]
    request = ChatRequest(messages=messages, temperature=0, chat_template=template("llama-3"), max_tokens=20)
    with VllmClient(VllmConfig(base_url=plain_server)) as client:
        with pytest.raises(BadRequestError, match="single tool-calls"):
            client.complete(request.model_copy(update={"message_policy": "none"}))
        assert "split_tool_calls" in client.complete(request).metadata["message_policy"]


def test_what_is_counted_is_what_is_sent(plain_server: str) -> None:
    messages = [{"role": "user", "content": "Hello"}, {"role": "user", "content": "there"}]
    request = ChatRequest(messages=messages, temperature=0, chat_template=template("llama-2"), max_tokens=20)
    with VllmClient(VllmConfig(base_url=plain_server)) as client:
        with pytest.raises(BadRequestError, match="must alternate"):
            client.count_tokens(request)
        usage = client.complete(request).usage
        assert usage is not None
        assert client.count_tokens(request) == usage.prompt_tokens


def test_what_is_learned_is_learned_once(plain_server: str) -> None:
    messages = [{"role": "user", "content": "Hello"}, {"role": "user", "content": "there"}]
    request = ChatRequest(messages=messages, temperature=0, chat_template=template("llama-2"), max_tokens=20)
    with VllmClient(VllmConfig(base_url=plain_server)) as client:
        with pytest.raises(BadRequestError, match="must alternate"):
            client.complete(request.model_copy(update={"message_policy": "none"}))
        answer = client.complete(request)
        assert "alternate" in answer.metadata["message_policy"]
        assert client.endpoints.capabilities.message_policy(None).alternate
