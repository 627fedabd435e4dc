"""Defects of `OpenAILike` 0.8.1 and `VllmServer` 0.8.0 that must not be repeated here.

Each was seen with llama-index-core 0.14.25. A defect that another file tests more widely has one short test here.
"""

import asyncio
import copy
import pickle
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.core.types import PydanticProgramMode
from llama_index_vllm import VllmLLM
from pydantic import BaseModel
from vllm_connect import ConfigurationError, ServerFailureError, StreamInterruptedError

from tests.llamaindex.conftest import Connect, Serve
from tests.llamaindex.fake_vllm import Answer, chunk
from tests.llamaindex.ways import CHATS, STREAMS, Chat, user

every_chat = pytest.mark.parametrize("ask", CHATS)
every_stream = pytest.mark.parametrize("ask", STREAMS)

ADD = FunctionTool.from_defaults(lambda a: a, name="add", description="Add.")


class City(BaseModel):
    """A city."""

    name: str


PROMPT = PromptTemplate("Name a city.")


def piece(index: int, arguments: str, call_id: str | None = None) -> dict[str, Any]:
    first = {"id": call_id, "type": "function"} if call_id else {}
    name = {"name": "add"} if call_id else {}
    return {"index": index, "function": {**name, "arguments": arguments}, **first}


TWO_CALLS = {
    "two in one chunk": [chunk(tool_calls=[piece(0, '{"a": 1}', "x"), piece(1, '{"a": 2}', "y")])],
    "interleaved": [
        chunk(tool_calls=[piece(0, '{"a"', "x")]),
        chunk(tool_calls=[piece(1, '{"a"', "y")]),
        chunk(tool_calls=[piece(0, ": 1}")]),
        chunk(tool_calls=[piece(1, ": 2}")]),
    ],
    "one index for both": [
        chunk(tool_calls=[piece(0, '{"a": 1}', "x")]),
        chunk(tool_calls=[piece(0, '{"a": 2}', "y")]),
    ],
}


@every_stream
@pytest.mark.parametrize("events", TWO_CALLS.values(), ids=TWO_CALLS)
async def test_b1_no_call_is_lost_or_doubled(
    ask: Chat, events: Sequence[dict[str, Any]], serve: Serve, connect: Connect
) -> None:
    llm = connect(serve(Answer(events=[*events, chunk("tool_calls")])))
    last = (await ask(llm, user(), tools=[ADD]))[-1]
    calls = [(call.tool_id, call.tool_name, call.tool_kwargs) for call in llm.get_tool_calls_from_response(last)]
    assert calls == [("x", "add", {"a": 1}), ("y", "add", {"a": 2})]


def test_b2_no_tool_choice_without_tools(serve: Serve, connect: Connect) -> None:
    server = serve(Answer('{"name": "Oslo"}'))
    llm = connect(server, is_function_calling_model=False)
    for mode in PydanticProgramMode.DEFAULT, PydanticProgramMode.LLM:
        llm.pydantic_program_mode = mode
        assert llm.structured_predict(City, PROMPT) == City(name="Oslo")
    assert not [body for body in server.bodies if "tool_choice" in body]


def test_b3_a_history_is_not_changed_and_only_the_first_call_is_kept(serve: Serve, connect: Connect) -> None:
    history = [ChatMessage("Hi")]
    llm = connect(serve(Answer(calls=[("add", '{"a": 1}'), ("add", '{"a": 2}')])))
    response = llm.chat_with_tools([ADD], user_msg="there", chat_history=history)
    assert len(history) == 1
    assert len([block for block in response.message.blocks if isinstance(block, ToolCallBlock)]) == 1
    assert len(response.message.additional_kwargs["tool_calls"]) == 1


@every_stream
async def test_b4_the_first_piece_of_reasoning_is_kept(ask: Chat, serve: Serve, connect: Connect) -> None:
    llm = connect(
        serve(Answer(events=[chunk(reasoning="First"), chunk(reasoning=" then."), chunk("stop", content="A")]))
    )
    chunks = await ask(llm, user())
    assert "".join(each.additional_kwargs["thinking_delta"] for each in chunks) == "First then."


def test_b5_event_loops_can_follow_each_other(serve: Serve) -> None:
    llm = VllmLLM(base_url=serve().url)

    async def ask() -> str | None:
        content = (await llm.achat(user())).message.content
        await llm.aclose()
        return content

    assert [asyncio.run(ask()) for _ in range(2)] == ["Hello", "Hello"]


def test_b6_tools_have_no_key_that_was_not_requested(serve: Serve, connect: Connect) -> None:
    server = serve()
    connect(server).chat_with_tools([ADD], user_msg="Hi")
    function = server.bodies[0]["tools"][0]["function"]
    assert function.keys() == {"name", "description", "parameters"}
    assert "additionalProperties" not in function["parameters"]


@every_chat
async def test_b7_max_retries_is_honoured(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve(Answer(status=500, extra={"error": {"message": "died", "code": 500}}))
    llm = connect(server, max_retries=2, retry_delay=0.001, max_retry_delay=0.001)
    with pytest.raises(ServerFailureError) as caught:
        await ask(llm, user())
    assert len(server.bodies) == caught.value.attempts == 3


@every_stream
async def test_b8_a_stream_without_an_end_is_an_error(ask: Chat, serve: Serve, connect: Connect) -> None:
    with pytest.raises(StreamInterruptedError):
        await ask(connect(serve(Answer("Hel", finish=None, usage=None))), user())


@every_chat
async def test_b9_max_tokens_of_a_call_overrides_the_model_s(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve()
    await ask(connect(server, max_tokens=100), user(), max_tokens=5)
    assert server.bodies[0]["max_tokens"] == 5


@every_chat
async def test_b10_extra_body_of_a_call_overrides_the_model_s(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve()
    await ask(connect(server, extra_body={"top": 1, "kept": 2}), user(), extra_body={"top": 9})
    assert (server.bodies[0]["top"], server.bodies[0]["kept"]) == (9, 2)


def test_b11_unknown_arguments_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'extra_bdy'; did you mean 'extra_body'"):
        VllmLLM(extra_bdy={})


def test_b12_no_key_leaks_and_copies_work_after_use(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(), api_key="sk-canary")
    llm.chat(user())
    assert "canary" not in str(llm.to_dict())
    for made in copy.deepcopy(llm), pickle.loads(pickle.dumps(llm)):  # noqa: S301 - our own bytes
        with made:
            assert made.chat(user()).message.content == "Hello"


@every_stream
async def test_b13_earlier_chunks_do_not_change_later(ask: Chat, serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer(calls=[("add", '{"a": 12345}')], pause=0.05)))
    messages: list[str] = []
    chunks = []
    if ask is STREAMS[0]:
        for each in llm.stream_chat(user(), tools=[ADD]):
            chunks.append(each)
            messages.append(each.message.model_dump_json())
    else:
        async for each in await llm.astream_chat(user(), tools=[ADD]):
            chunks.append(each)
            messages.append(each.message.model_dump_json())
    assert [each.message.model_dump_json() for each in chunks] == messages
    assert len(set(messages)) > 1


async def test_b14_llm_kwargs_of_streams_are_optional(serve: Serve, connect: Connect) -> None:
    for mode, answer in (
        (PydanticProgramMode.DEFAULT, Answer('{"name": "Oslo"}')),
        (PydanticProgramMode.FUNCTION, Answer(calls=[("City", '{"name": "Oslo"}')])),
    ):
        llm = connect(serve(answer), pydantic_program_mode=mode)
        assert list(llm._structured_stream_call(City, PROMPT, llm_kwargs=None))[-1] == City(name="Oslo")


def test_v1_nothing_happens_at_the_exit() -> None:
    code = "from llama_index_vllm import VllmLLM; VllmLLM(model='demo')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_v6_roles_tools_usage_and_async_work(serve: Serve, connect: Connect) -> None:
    server = serve(Answer("Hello", reasoning="Hm.", pause=0.05))
    llm = connect(server)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    messages = [ChatMessage("S", role="system"), ChatMessage("U")]
    last = [each async for each in await llm.astream_chat(messages, tools=[ADD])][-1]
    ticking.cancel()
    assert ticks > 5
    assert [message["role"] for message in server.bodies[0]["messages"]] == ["system", "user"]
    assert server.bodies[0]["tools"]
    assert last.additional_kwargs["total_tokens"] == 18
    assert last.additional_kwargs["finish_reason"] == "stop"
