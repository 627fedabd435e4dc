"""Agents: tools called, reasoning sent back, structured answers by both strategies, streamed or not."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain.chat_models import base, init_chat_model
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_vllm import ChatVllm, register
from langchain_vllm.errors import ConfigurationError
from pydantic import BaseModel

from tests.langchain.scripted import Answer, Scripted, server_error


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Sum(BaseModel):
    """A sum."""

    value: int


CALLS = Answer("", "two sums", [("add", '{"a": 1, "b": 2}'), ("add", '{"a": 3, "b": 4}')], "tool_calls")
LAST = Answer("3 and 7", "done")


async def invoked(agent: Any) -> Any:
    return agent.invoke({"messages": "Add!"})


async def awaited(agent: Any) -> Any:
    return await agent.ainvoke({"messages": "Add!"})


async def streamed(agent: Any) -> Any:
    state: Any = None
    texts = []
    for mode, piece in agent.stream({"messages": "Add!"}, stream_mode=["messages", "values"]):
        if mode == "values":
            state = piece
        elif isinstance(piece[0], AIMessageChunk):
            texts.append(piece[0].text)
    assert "".join(texts) == "3 and 7"
    return state


async def astreamed(agent: Any) -> Any:
    return [state async for state in agent.astream({"messages": "Add!"}, stream_mode="values")][-1]


MISMATCH = Answer(calls=[("Sum", '{"value": "much"}')], finish="tool_calls")


@pytest.mark.parametrize("run", [invoked, awaited, astreamed])
async def test_tool_strategy_answers_invalid_arguments_to_the_model(run: Callable[[Any], Any]) -> None:
    coerced = Answer(calls=[("Sum", '{"value": "3"}')], finish="tool_calls")  # pydantic takes it, the schema does not
    script = Scripted([MISMATCH, MISMATCH, coerced])
    state = await run(create_agent(script.model(), [], response_format=ToolStrategy(Sum)))
    assert state["structured_response"] == Sum(value=3)
    strict = [body["tools"][0]["function"].get("strict") for body in script.asked]
    assert strict == [None, True, True]
    assert [m["role"] for m in script.asked[2]["messages"]] == ["user", "assistant", "tool"]
    assert "valid integer" in script.asked[2]["messages"][2]["content"]


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("run", [invoked, awaited, streamed, astreamed])
async def test_parallel_calls_are_run_and_reasoning_is_sent_back(run: Callable[[Any], Any], version: str) -> None:
    script = Scripted([CALLS, LAST])
    state = await run(create_agent(script.model(output_version=version), [add]))
    _, asked, first, second, last = state["messages"]
    assert type(asked) is AIMessage
    assert type(last) is AIMessage
    assert (first.content, second.content, last.text) == ("3", "7", "3 and 7")
    assert [m["role"] for m in script.asked[1]["messages"]] == ["user", "assistant", "tool", "tool"]
    said = script.asked[1]["messages"][1]
    assert said["reasoning"] == "two sums"
    assert [c["id"] for c in said["tool_calls"]] == ["call_0", "call_1"]
    assert said["content"] == ""


@pytest.mark.parametrize("run", [invoked, awaited, astreamed])
async def test_tool_strategy(run: Callable[[Any], Any]) -> None:
    script = Scripted([CALLS, Answer(calls=[("Sum", '{"value": 3}')], finish="tool_calls")])
    state = await run(create_agent(script.model(), [add], response_format=ToolStrategy(Sum)))
    assert state["structured_response"] == Sum(value=3)
    assert script.asked[0]["tool_choice"] == "required"
    assert {tool["function"]["name"] for tool in script.asked[0]["tools"]} == {"add", "Sum"}


@pytest.mark.parametrize("form", [Sum, ProviderStrategy(Sum)])
@pytest.mark.parametrize("tools", [[], [add]])
async def test_provider_strategy(tools: list[Any], form: Any) -> None:
    answer = Answer('{"value": 3}', "easy")
    script = Scripted([CALLS, Answer("Three."), answer] if tools else [answer])
    state = await astreamed(create_agent(script.model(), tools, response_format=form))
    assert state["structured_response"] == Sum(value=3)
    assert script.asked[-1]["response_format"]["json_schema"]["name"] == "Sum"
    assert ["response_format" in body for body in script.asked] == ([False, False, True] if tools else [True])
    assert all(("tools" in body) is bool(tools) for body in script.asked)


@pytest.mark.newest
def test_an_invalid_call_is_never_run_and_the_conversation_can_go_on() -> None:
    ran = []

    def remove(path: str) -> str:
        """Remove a file."""
        ran.append(path)
        return "removed"

    cut = Answer(calls=[("remove", '{"path": "/home')], finish="length")
    script = Scripted([cut, LAST])
    agent: Any = create_agent(script.model(), [remove])
    state = agent.invoke({"messages": "Remove!"})
    agent.invoke({"messages": [*state["messages"], HumanMessage("Again!")]})
    assert ran == []
    _, said, answered, _ = script.asked[1]["messages"]
    assert said["tool_calls"][0]["function"]["arguments"] == '{"invalid_arguments": "{\\"path\\": \\"/home"}'
    assert answered["role"] == "tool"
    assert "malformed or truncated" in answered["content"]


def test_summarization_middleware_reads_the_context_window() -> None:
    script = Scripted([Answer("a summary")])
    model = script.model(context_window=100)
    middleware: Any = SummarizationMiddleware(
        model, trigger=("fraction", 0.5), keep=("messages", 1), token_counter=lambda m: 30 * len(list(m))
    )
    agent: Any = create_agent(model, middleware=[middleware])
    agent.invoke({"messages": [HumanMessage("1"), AIMessage("2"), HumanMessage("3")]})
    assert "a summary" in str(script.asked[1]["messages"])


def test_the_profile_has_the_context_window_after_a_refresh() -> None:
    model = Scripted([]).model()
    assert model.profile is not None
    assert "max_input_tokens" not in model.profile
    assert model.refresh_profile()["max_input_tokens"] == 4096
    assert model.profile["max_input_tokens"] == 4096
    assert ChatVllm(context_window=77).profile["max_input_tokens"] == 77  # type: ignore[index]  # there is one


async def test_the_profile_is_refreshed_asynchronously() -> None:
    assert (await Scripted([]).model().arefresh_profile())["max_input_tokens"] == 4096
    assert "max_input_tokens" not in Scripted([]).model(model="unknown").refresh_profile()


def test_init_chat_model_works_after_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_BUILTIN_PROVIDERS", dict(base._BUILTIN_PROVIDERS))
    register()
    model = init_chat_model("vllm:org/demo", temperature=0, base_url="http://gpu-1:8000/v1")
    assert isinstance(model, ChatVllm)
    assert (model.model, model.temperature, model.base_url) == ("org/demo", 0, "http://gpu-1:8000")
    base._get_chat_model_creator.cache_clear()
    monkeypatch.delattr(base, "_BUILTIN_PROVIDERS")
    with pytest.raises(ConfigurationError, match="register"):
        register()


def test_with_fallbacks_uses_the_next_model() -> None:
    broken, well = Scripted([server_error(503, "busy")]), Scripted([Answer("Hi")])
    assert broken.model().with_fallbacks([well.model()]).invoke("Hi").text == "Hi"
