"""Agents, workflows and chat engines of LlamaIndex on scripted answers."""

import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import (
    AgentOutput,
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
    ToolCallResult,
)
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock, ThinkingBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context
from llama_index_vllm import ToolCallArgumentsError, VllmLLM
from pydantic import BaseModel
from vllm_connect import StreamInterruptedError

from tests.llamaindex.conftest import Connect, Serve
from tests.llamaindex.fake_vllm import Answer

pytestmark = pytest.mark.filterwarnings(
    "ignore:The `__fields__` attribute is deprecated",  # LlamaIndex's workflows look at every attribute
    "ignore:The `__fields_set__` attribute is deprecated",
    "ignore:Skipping serialization of known unserializable key. memory",  # its memory holds a function
    "ignore:is_running called from within a step:DeprecationWarning",  # its ReActAgent does
)

RAN: list[tuple[str, Any]] = []


@pytest.fixture(autouse=True)
def _nothing_ran_yet() -> None:
    RAN.clear()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    RAN.append(("add", (a, b)))
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    RAN.append(("multiply", (a, b)))
    return a * b


TOOLS = [add, multiply]
CALLS = Answer(reasoning="Both.", calls=[("add", '{"a": 1, "b": 2}'), ("multiply", '{"a": 3, "b": 4}')])
ANSWER = Answer("3 and 12.", reasoning="Done.")


async def run(agent: Any, message: str = "1 + 2 and 3 * 4?", **kwargs: Any) -> tuple[Any, list[Any]]:
    handler = agent.run(message, **kwargs)
    events = [event async for event in handler.stream_events()]
    return await handler, events


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_function_agent_runs_parallel_calls_and_sends_reasoning_back(
    streaming: bool, serve: Serve, connect: Connect
) -> None:
    server = serve(CALLS, ANSWER)
    agent = FunctionAgent(tools=TOOLS, llm=connect(server), streaming=streaming)
    output, events = await run(agent)
    assert str(output) == "3 and 12."
    assert sorted(RAN) == [("add", (1, 2)), ("multiply", (3, 4))]
    assert server.bodies[0]["parallel_tool_calls"] is True
    question, called, *results = server.bodies[1]["messages"]
    assert question["role"] == "user"
    assert (called["role"], called["content"], called["reasoning"]) == ("assistant", None, "Both.")
    assert [call["id"] for call in called["tool_calls"]] == ["call_0", "call_1"]
    assert [(result["role"], result["tool_call_id"], result["content"]) for result in results] == [
        ("tool", "call_0", "3"),
        ("tool", "call_1", "12"),
    ]
    if streaming:
        streamed = [event for event in events if isinstance(event, AgentStream)]
        assert "".join(event.delta for event in streamed) == "3 and 12."
        assert "".join(event.thinking_delta or "" for event in streamed) == "Both.Done."
    assert {event.tool_id for event in events if isinstance(event, ToolCallResult)} == {"call_0", "call_1"}
    assert [event.raw is not None for event in events if isinstance(event, AgentOutput)] == [True, True]


async def test_the_next_turn_is_sent_without_old_reasoning(serve: Serve, connect: Connect) -> None:
    server = serve(CALLS, ANSWER, Answer("Bye."))
    llm = connect(server)
    memory = ChatMemoryBuffer.from_defaults(llm=llm)
    agent = FunctionAgent(tools=TOOLS, llm=llm)
    context = Context(agent)
    await run(agent, ctx=context, memory=memory)
    restored = Context.from_dict(agent, json.loads(json.dumps(context.to_dict())))
    output, _ = await run(agent, "Bye", ctx=restored, memory=memory)
    assert str(output) == "Bye."
    roles = [message["role"] for message in server.bodies[2]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert not [message for message in server.bodies[2]["messages"] if "reasoning" in message]


async def test_an_initial_tool_choice_is_sent(serve: Serve, connect: Connect) -> None:
    server = serve(Answer(calls=[("add", '{"a": 1, "b": 2}')]), ANSWER)
    await run(FunctionAgent(tools=TOOLS, llm=connect(server), initial_tool_choice="add"))
    assert [body["tool_choice"] for body in server.bodies] == [
        {"type": "function", "function": {"name": "add"}},
        "auto",
    ]


async def test_an_agent_without_tools_works(serve: Serve, connect: Connect) -> None:
    server = serve(Answer("Hello"))
    output, _ = await run(FunctionAgent(tools=[], llm=connect(server)))
    assert str(output) == "Hello"
    assert "tools" not in server.bodies[0]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("arguments", "finish"), [('{"a": 7, "b', "length"), ('{"a": 7, "b": 1}', "length"), ("{oops", "tool_calls")]
)
async def test_an_agent_never_runs_a_broken_call(
    streaming: bool, arguments: str, finish: str, serve: Serve, connect: Connect
) -> None:
    llm = connect(serve(Answer(calls=[("add", arguments)], finish=finish)))
    with pytest.raises(ToolCallArgumentsError):
        await run(FunctionAgent(tools=TOOLS, llm=llm, streaming=streaming))
    assert RAN == []


async def test_an_agent_never_runs_a_call_of_a_truncated_stream(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer(calls=[("add", '{"a": 7, "b": 1}')], finish=None, usage=None)))
    with pytest.raises(StreamInterruptedError):
        await run(FunctionAgent(tools=TOOLS, llm=llm))
    assert RAN == []


async def test_an_unknown_tool_is_answered_to_the_model(serve: Serve, connect: Connect) -> None:
    server = serve(Answer(calls=[("subtract", "{}")]), Answer("Sorry."))
    output, _ = await run(FunctionAgent(tools=TOOLS, llm=connect(server)))
    assert str(output) == "Sorry."
    assert "subtract" in server.bodies[1]["messages"][-1]["content"]


async def test_tools_with_odd_names_are_found(serve: Serve, connect: Connect) -> None:
    tool = FunctionTool.from_defaults(add, name="add (int)")
    server = serve(Answer(calls=[("add__int_", '{"a": 1, "b": 2}')]), ANSWER)
    await run(FunctionAgent(tools=[tool], llm=connect(server)))
    assert RAN == [("add", (1, 2))]
    assert server.bodies[1]["messages"][1]["tool_calls"][0]["function"]["name"] == "add__int_"


async def test_an_image_from_a_tool_reaches_the_model(serve: Serve, connect: Connect) -> None:
    def look() -> Any:
        """Look."""
        return [TextBlock(text="a cat"), ImageBlock(url="https://example.org/cat.png")]

    server = serve(Answer(calls=[("look", "{}")]), Answer("A cat."))
    await run(FunctionAgent(tools=[look], llm=connect(server)))
    content = server.bodies[1]["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]


class Sums(BaseModel):
    """Results."""

    total: int
    product: int


async def test_an_agent_returns_an_object(serve: Serve, connect: Connect) -> None:
    server = serve(CALLS, ANSWER, Answer('{"total": 3, "product": 12}'))
    output, _ = await run(FunctionAgent(tools=TOOLS, llm=connect(server), output_cls=Sums))
    assert output.get_pydantic_model(Sums) == Sums(total=3, product=12)
    assert server.bodies[2]["response_format"]["json_schema"]["name"] == "Sums"


async def test_a_workflow_of_tools_uses_a_function_agent(serve: Serve, connect: Connect) -> None:
    server = serve(CALLS, ANSWER)
    workflow = AgentWorkflow.from_tools_or_functions([*TOOLS], llm=connect(server))
    output, _ = await run(workflow)
    assert str(output) == "3 and 12."
    assert len(RAN) == 2


async def test_a_workflow_hands_off(serve: Serve, connect: Connect) -> None:
    handoff = Answer(calls=[("handoff", '{"to_agent": "adder", "reason": "sums"}')])
    server = serve(handoff, Answer(calls=[("add", '{"a": 1, "b": 2}')]), Answer("3"))
    llm = connect(server)
    clerk = FunctionAgent(name="clerk", description="Listens.", tools=[], llm=llm, can_handoff_to=["adder"])
    adder = FunctionAgent(name="adder", description="Adds.", tools=[add], llm=llm)
    output, _ = await run(AgentWorkflow(agents=[clerk, adder], root_agent="clerk"))
    assert str(output) == "3"
    assert RAN == [("add", (1, 2))]


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_react_agent_reasons_in_text(streaming: bool, serve: Serve, connect: Connect) -> None:
    first = 'Thought: I need a tool.\nAction: add\nAction Input: {"a": 1, "b": 2}'
    server = serve(
        Answer(first, reasoning="Answer: not this."),
        Answer("Thought: I can answer without using any more tools.\nAnswer: 3"),
    )
    output, _ = await run(ReActAgent(tools=TOOLS, llm=connect(server), streaming=streaming))
    assert str(output) == "3"
    assert RAN == [("add", (1, 2))]
    assert "tools" not in server.bodies[0]


async def test_a_code_act_agent_receives_deltas(serve: Serve, connect: Connect) -> None:
    ran: list[str] = []

    def execute(code: str) -> str:
        ran.append(code)
        return "3"

    server = serve(Answer("<execute>\nprint(1 + 2)\n</execute>"), Answer("It is 3."))
    output, _ = await run(CodeActAgent(code_execute_fn=execute, tools=[], llm=connect(server)))
    assert [code.strip() for code in ran] == ["print(1 + 2)"]
    assert str(output) == "It is 3."


@pytest.mark.newest
def test_a_chat_engine_streams_and_remembers(serve: Serve, connect: Connect) -> None:
    server = serve(Answer("Hello Ann", reasoning="Greet."), Answer("Ann"))
    llm = connect(server)
    memory = ChatMemoryBuffer.from_defaults(llm=llm)  # the default keeps a database open
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory, system_prompt="Be brief.")
    assert "".join(engine.stream_chat("I am Ann").response_gen) == "Hello Ann"
    assert engine.chat("Who am I?").response == "Ann"
    sent = [(message["role"], message["content"]) for message in server.bodies[1]["messages"]]
    assert sent == [
        ("system", "Be brief."),
        ("user", "I am Ann"),
        ("assistant", "Hello Ann"),
        ("user", "Who am I?"),
    ]


@pytest.mark.newest
async def test_a_chat_engine_streams_asynchronously(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer("Hello Ann", reasoning="Greet.")))
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(llm=llm))
    answer = await engine.astream_chat("I am Ann")
    assert "".join([token async for token in answer.async_response_gen()]) == "Hello Ann"
    assert [message.content for message in engine.chat_history] == ["I am Ann", "Hello Ann"]


async def test_an_answer_has_no_reasoning_in_its_text(serve: Serve, connect: Connect) -> None:
    llm: VllmLLM = connect(serve(Answer("Hello", reasoning="Answer: secret")))
    message = (await llm.achat([ChatMessage("Hi")])).message
    assert message.content == "Hello"
    assert [block.content for block in message.blocks if isinstance(block, ThinkingBlock)] == ["Answer: secret"]
