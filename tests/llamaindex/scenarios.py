"""What a model does, whatever stands behind it: a real server, or the recording of one.

Each scenario takes an `llm` on the demo model at temperature 0 and asserts what LlamaIndex's users rely on. The questions
are among those that the demo model was trained on.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ThinkingBlock, ToolCallBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.core.types import PydanticProgramMode
from llama_index_vllm import VllmLLM
from pydantic import BaseModel, Field

__all__ = ["SCENARIOS", "Scenario"]

Scenario = Callable[[VllmLLM], Awaitable[None]]

HELLO = [ChatMessage("Hello")]
GREETING = "Hello! How can I help you today?"


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"It's sunny in {city}."


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


WEATHER = FunctionTool.from_defaults(get_weather)
SUMS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(multiply)]


class Person(BaseModel):
    """A person."""

    name: str = Field(max_length=20)
    city: str = Field(max_length=20)


BOB = Person(name="Bob", city="Rome")
ALICE = Person(name="Alice", city="Paris")
EXTRACT = PromptTemplate("Extract the person: {name} lives in {city}.")


def thinking(response: ChatResponse) -> str:
    return "".join(block.content or "" for block in response.message.blocks if isinstance(block, ThinkingBlock))


def calls(response: ChatResponse) -> list[tuple[str, Any]]:
    blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    return [(block.tool_name, block.tool_kwargs) for block in blocks]


async def all_ways_return_the_same(llm: VllmLLM) -> None:
    chunks = list(llm.stream_chat(HELLO))
    achunks = [chunk async for chunk in await llm.astream_chat(HELLO)]
    whole, awhole = llm.chat(HELLO), await llm.achat(HELLO)
    for response in (whole, awhole, chunks[-1], achunks[-1]):
        assert response.message == whole.message
        assert (response.message.content or "").strip() == GREETING
        assert "directly" in thinking(response)
        assert response.additional_kwargs["finish_reason"] == "stop"
        assert response.additional_kwargs["total_tokens"] == whole.additional_kwargs["total_tokens"] > 0
    for stream in (chunks, achunks):
        assert "".join(chunk.delta or "" for chunk in stream) == whole.message.content
        assert "".join(chunk.additional_kwargs["thinking_delta"] for chunk in stream) == thinking(whole)


async def completions_return_the_same(llm: VllmLLM) -> None:
    whole = llm.complete("Hello").text
    assert whole.strip() == GREETING
    assert (await llm.acomplete("Hello")).text == whole
    assert "".join(chunk.delta or "" for chunk in llm.stream_complete("Hello")) == whole
    assert [chunk async for chunk in await llm.astream_complete("Hello")][-1].text == whole


async def thinking_can_be_disabled(llm: VllmLLM) -> None:
    response = await llm.achat(HELLO, reasoning=False)
    assert (response.message.content or "").strip() == GREETING
    assert not thinking(response).strip()


async def a_limit_is_reported(llm: VllmLLM) -> None:
    response = await llm.achat([ChatMessage("Write a story about a cat.")], max_tokens=5, reasoning=False)
    assert response.additional_kwargs["finish_reason"] == "length"
    assert response.additional_kwargs["completion_tokens"] == 5


async def log_probabilities_are_returned(llm: VllmLLM) -> None:
    response = await llm.achat(HELLO, logprobs=True, top_logprobs=2)
    assert response.logprobs
    assert all(len(entries) >= 2 for entries in response.logprobs)
    streamed = [entry for chunk in llm.stream_chat(HELLO, logprobs=True) for entry in chunk.logprobs or ()]
    assert len(streamed) == len(response.logprobs)


async def tools_are_called_in_all_ways(llm: VllmLLM) -> None:
    question = "What is the weather in Paris and Rome?"
    expected = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
    given: dict[str, Any] = {"user_msg": question, "allow_parallel_tool_calls": True}
    responses = [
        llm.chat_with_tools([WEATHER], **given),
        await llm.achat_with_tools([WEATHER], **given),
        list(llm.stream_chat_with_tools([WEATHER], **given))[-1],
        [chunk async for chunk in await llm.astream_chat_with_tools([WEATHER], **given)][-1],
    ]
    for response in responses:
        assert calls(response) == expected
        selected = llm.get_tool_calls_from_response(response)
        assert [(call.tool_name, call.tool_kwargs) for call in selected] == expected
        assert len({call.tool_id for call in selected}) == 2


async def only_one_call_without_parallel_calls(llm: VllmLLM) -> None:
    question = "What is the weather in Paris and Rome?"
    response = await llm.achat_with_tools([WEATHER], user_msg=question)
    chunks = list(llm.stream_chat_with_tools([WEATHER], user_msg=question))
    assert len(calls(response)) == len(calls(chunks[-1])) == 1


async def a_tool_can_be_required(llm: VllmLLM) -> None:
    for choice in ({"tool_required": True}, {"tool_choice": "add"}):
        response = await llm.achat_with_tools(SUMS, user_msg="What is 3 + 4?", strict=True, **choice)
        assert [name for name, _ in calls(response)][:1] == ["add"]


async def a_function_agent_works_in_parallel(llm: VllmLLM) -> None:
    agent = FunctionAgent(tools=[WEATHER], llm=llm)
    handler = agent.run("What is the weather in Paris and Rome?")
    events = [event async for event in handler.stream_events()]
    output = await handler
    assert "sunny in Paris" in str(output)
    assert "sunny in Rome" in str(output)
    results = [event.tool_kwargs["city"] for event in events if isinstance(event, ToolCallResult)]
    assert sorted(results) == ["Paris", "Rome"]
    streamed = [event for event in events if isinstance(event, AgentStream)]
    assert "sunny in Paris" in "".join(event.delta for event in streamed)
    assert "tool" in "".join(event.thinking_delta or "" for event in streamed)


async def an_agent_workflow_runs_two_steps(llm: VllmLLM) -> None:
    workflow = AgentWorkflow.from_tools_or_functions([*SUMS], llm=llm)
    handler = workflow.run("What is 2 + (3 * 4)?")
    events = [event async for event in handler.stream_events()]
    output = await handler
    results = [(event.tool_name, event.tool_kwargs) for event in events if isinstance(event, ToolCallResult)]
    assert results == [("multiply", {"a": 3, "b": 4}), ("add", {"a": 2, "b": 12})]
    assert "14" in str(output)


async def objects_are_predicted(llm: VllmLLM) -> None:
    given: dict[str, Any] = {"name": "Bob", "city": "Rome"}
    assert llm.structured_predict(Person, EXTRACT, **given) == BOB
    assert await llm.astructured_predict(Person, EXTRACT, **given) == BOB
    partials = list(llm.stream_structured_predict(Person, EXTRACT, **given))
    assert partials[-1] == BOB
    assert len(partials) > 1
    assert [each async for each in await llm.astream_structured_predict(Person, EXTRACT, **given)][-1] == BOB


async def objects_are_predicted_by_a_tool(llm: VllmLLM) -> None:
    given: dict[str, Any] = {"name": "Alice", "city": "Paris"}
    async with llm.model_copy(update={"pydantic_program_mode": PydanticProgramMode.FUNCTION}) as by_tool:
        assert await by_tool.astructured_predict(Person, EXTRACT, **given) == ALICE
        assert list(by_tool.stream_structured_predict(Person, EXTRACT, **given))[-1] == ALICE


async def a_structured_llm_answers_in_objects(llm: VllmLLM) -> None:
    structured = llm.as_structured_llm(Person)
    response = await structured.achat([ChatMessage("Extract the person: Bob lives in Rome.")], reasoning=False)
    assert response.raw == BOB


async def a_chat_engine_remembers(llm: VllmLLM) -> None:
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(llm=llm))
    answer = engine.stream_chat("My name is Alice.")
    assert "Alice" in "".join(answer.response_gen)
    assert "Alice" in (await engine.achat("What is my name?")).response


async def tokens_are_counted_by_the_server(llm: VllmLLM) -> None:
    counter = TokenCountingHandler(tokenizer=lambda _: [])
    before = llm.callback_manager
    llm.callback_manager = CallbackManager([counter])
    try:
        chunks = list(llm.stream_chat(HELLO))
    finally:
        llm.callback_manager = before
    assert counter.prompt_llm_token_count == chunks[-1].additional_kwargs["prompt_tokens"]
    assert counter.completion_llm_token_count == chunks[-1].additional_kwargs["completion_tokens"]
    assert llm.count_tokens(HELLO) == await llm.acount_tokens(HELLO) == counter.prompt_llm_token_count
    assert llm.tokenize("Hello")
    assert await llm.atokenize("Hello") == llm.tokenize("Hello")


async def the_context_window_is_the_server_s(llm: VllmLLM) -> None:
    info = await llm.aserver_info()
    assert info.models
    assert llm.metadata.context_window == info.context_window(llm.model) == info.models[0].max_model_len


SCENARIOS: list[Scenario] = [
    all_ways_return_the_same,
    completions_return_the_same,
    thinking_can_be_disabled,
    a_limit_is_reported,
    log_probabilities_are_returned,
    tools_are_called_in_all_ways,
    only_one_call_without_parallel_calls,
    a_tool_can_be_required,
    a_function_agent_works_in_parallel,
    an_agent_workflow_runs_two_steps,
    objects_are_predicted,
    objects_are_predicted_by_a_tool,
    a_structured_llm_answers_in_objects,
    a_chat_engine_remembers,
    tokens_are_counted_by_the_server,
    the_context_window_is_the_server_s,
]
