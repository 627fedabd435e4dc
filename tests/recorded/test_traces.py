"""What agents send and get, seen on the wire: reasoning goes back, calls stay parallel, token counts are the server's."""

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_vllm import ChatVllm
from llama_index.core.agent.workflow import AgentOutput, FunctionAgent
from llama_index_vllm import VllmLLM
from vllm_connect import SSEDecoder
from vllm_connect.testing import Answer, LoopbackServer

QUESTION = "What is the weather in Paris and Rome?"
THOUGHT = "I should use a tool for this."
CALLS = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"It's sunny in {city}."


def chats(server: LoopbackServer) -> list[tuple[dict[str, Any], Answer]]:
    return [
        (exchange.asked.body, exchange.answer)
        for exchange in server.exchanges
        if exchange.asked.path == "/v1/chat/completions" and exchange.answer.status == 200
    ]


def usage_of(answer: Answer) -> tuple[int, int]:
    """Read the token counts that the server told."""
    if answer.content_type == "text/event-stream":
        events = [json.loads(event) for event in SSEDecoder().feed(answer.body) if event != "[DONE]"]
        (usage,) = [event["usage"] for event in events if event.get("usage")]
    else:
        usage = json.loads(answer.body)["usage"]
    return usage["prompt_tokens"], usage["completion_tokens"]


def check_second_request(server: LoopbackServer) -> None:
    """Both calls and the reasoning of the first answer stand in the second request, as do both results."""
    body = chats(server)[1][0]
    question, said, *results = body["messages"][-4:]
    assert question["role"] == "user"
    assert said["reasoning"].strip() == THOUGHT
    assert [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in said["tool_calls"]
    ] == CALLS
    assert [result["role"] for result in results] == ["tool", "tool"]
    assert [result["tool_call_id"] for result in results] == [call["id"] for call in said["tool_calls"]]
    assert [result["content"] for result in results] == ["It's sunny in Paris.", "It's sunny in Rome."]


async def run_langchain(server: LoopbackServer, *, streaming: bool) -> None:
    async with ChatVllm(base_url=server.url, model="demo", temperature=0, max_tokens=400) as model:
        agent: Any = create_agent(model, [get_weather])
        asked = {"messages": [("user", QUESTION)]}
        if streaming:
            pieces = [message async for message, _ in agent.astream(asked, stream_mode="messages")]
            seen: dict[str, Any] = {}
            for piece in pieces:
                if isinstance(piece, AIMessage):
                    seen[str(piece.id)] = seen[str(piece.id)] + piece if str(piece.id) in seen else piece
            answers = list(seen.values())
        else:
            answers = [m for m in (await agent.ainvoke(asked))["messages"] if isinstance(m, AIMessage)]
    assert [(call["name"], call["args"]) for call in answers[0].tool_calls] == CALLS
    assert answers[0].additional_kwargs["reasoning_content"].strip() == THOUGHT
    assert "sunny in Rome" in answers[-1].text
    check_second_request(server)
    told = [(m.usage_metadata["input_tokens"], m.usage_metadata["output_tokens"]) for m in answers]
    assert told == [usage_of(answer) for _, answer in chats(server)]


async def run_llama_index(server: LoopbackServer, *, streaming: bool) -> None:
    async with VllmLLM(base_url=server.url, model="demo", temperature=0, max_tokens=400) as llm:
        handler = FunctionAgent(llm=llm, tools=[get_weather], streaming=streaming).run(QUESTION)
        outputs = [event async for event in handler.stream_events() if isinstance(event, AgentOutput)]
        assert "sunny in Rome" in str(await handler)
    assert [(call.tool_name, call.tool_kwargs) for call in outputs[0].tool_calls] == CALLS
    check_second_request(server)
    raws: list[Any] = [output.raw for output in outputs]
    told = [(raw["usage"]["prompt_tokens"], raw["usage"]["completion_tokens"]) for raw in raws]
    assert told == [usage_of(answer) for _, answer in chats(server)]


STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])


@STREAMING
async def test_langchain(recorded_server: LoopbackServer, *, streaming: bool) -> None:
    await run_langchain(recorded_server, streaming=streaming)


@STREAMING
async def test_langchain_without_flags(recorded_plain_server: LoopbackServer, *, streaming: bool) -> None:
    await run_langchain(recorded_plain_server, streaming=streaming)


@STREAMING
async def test_llama_index(recorded_server: LoopbackServer, *, streaming: bool) -> None:
    await run_llama_index(recorded_server, streaming=streaming)


@STREAMING
async def test_llama_index_without_flags(recorded_plain_server: LoopbackServer, *, streaming: bool) -> None:
    await run_llama_index(recorded_plain_server, streaming=streaming)
