"""Chats and completions, in all eight ways: what is sent, and what is returned."""

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock
from llama_index_vllm import VllmLLM
from vllm_connect import (
    BadRequestError,
    ConfigurationError,
    ContextOverflowError,
    StreamInterruptedError,
    VllmError,
)

from tests.llamaindex.conftest import Connect, Serve
from tests.llamaindex.fake_vllm import USAGE, Answer, FakeVllm, chunk
from tests.llamaindex.ways import CHATS, COMPLETIONS, STREAMS, Chat, Completion, stream_chat, user

every_chat = pytest.mark.parametrize("ask", CHATS)
every_stream = pytest.mark.parametrize("ask", STREAMS)
every_completion = pytest.mark.parametrize("ask", COMPLETIONS)


@every_chat
async def test_an_answer_has_reasoning_text_and_additional_kwargs(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve(Answer("Hello there", reasoning="A greeting."))
    responses = await ask(connect(server), user())
    last = responses[-1]
    assert last.message.role == "assistant"
    assert last.message.blocks == [ThinkingBlock(content="A greeting."), TextBlock(text="Hello there")]
    facts = {name: value for name, value in last.additional_kwargs.items() if name != "thinking_delta"}
    assert facts == {"finish_reason": "stop", **USAGE}
    assert last.raw is not None
    assert last.raw["usage"] == USAGE


@every_stream
async def test_deltas_sum_to_the_answer(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve(Answer("Hello there", reasoning="A greeting.", pause=0.05))
    chunks = await ask(connect(server), user())
    assert "".join(part.delta or "" for part in chunks) == "Hello there"
    assert "".join(part.additional_kwargs["thinking_delta"] for part in chunks) == "A greeting."
    assert all(isinstance(part.delta, str) for part in chunks)
    assert len(chunks) > 1


@every_completion
async def test_a_completion_is_a_chat_with_one_message(ask: Completion, serve: Serve, connect: Connect) -> None:
    server = serve(Answer("Hello there", reasoning="A greeting."))
    responses = await ask(connect(server), "Hi")
    assert responses[-1].text == "Hello there"
    assert responses[-1].additional_kwargs["total_tokens"] == USAGE["total_tokens"]
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "Hi"}]
    if len(responses) > 1:
        assert "".join(part.delta or "" for part in responses) == "Hello there"


@every_completion
@pytest.mark.parametrize("formatted", [False, True])
async def test_a_prompt_is_formatted_once(ask: Completion, formatted: bool, serve: Serve, connect: Connect) -> None:
    server = serve()
    llm = connect(server, completion_to_prompt=lambda prompt: f"<{prompt}>")
    await ask(llm, "Hi", formatted=formatted)
    assert server.bodies[0]["messages"][0]["content"] == ("Hi" if formatted else "<Hi>")


@every_chat
async def test_a_field_that_is_not_set_is_not_sent(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve()
    await ask(connect(server), user())
    stream = {"stream": True, "stream_options": {"include_usage": True}} if ask in STREAMS else {}
    assert server.bodies == [{"model": "demo", "messages": [{"role": "user", "content": "Hi"}], **stream}]
    assert server.paths == ["/v1/chat/completions"]


@every_chat
async def test_arguments_of_a_call_override_the_model_s(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve()
    llm = connect(server, temperature=0.5, max_tokens=10, top_k=5, extra_body={"a": {"b": 1, "c": 2}}, seed=1)
    await ask(llm, user(), max_tokens=20, top_k=None, extra_body={"a": {"c": 3}}, stop=["END"], model="other")
    body = server.bodies[0]
    assert {name: body.get(name) for name in ("temperature", "max_tokens", "top_k", "a", "stop", "model", "seed")} == {
        "temperature": 0.5,
        "max_tokens": 20,
        "top_k": None,
        "a": {"b": 1, "c": 3},
        "stop": ["END"],
        "model": "other",
        "seed": 1,
    }


@every_chat
@pytest.mark.parametrize(("parser", "answer"), [("auto", "Hello"), (None, "<think>Hm.</think>Hello")])
async def test_reasoning_in_the_text_is_extracted_unless_disabled(
    ask: Chat, parser: str | None, answer: str, serve: Serve, connect: Connect
) -> None:
    server = serve(Answer("<think>Hm.</think>Hello"))
    of_the_model = await ask(connect(server, reasoning_parser=parser), user())
    of_the_call = await ask(connect(server), user(), reasoning_parser=parser)
    assert of_the_model[-1].message.content == of_the_call[-1].message.content == answer
    assert "reasoning_parser" not in server.bodies[0]


@every_chat
async def test_a_replay_policy_can_be_set_for_a_call(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve()
    history = [ChatMessage(role="assistant", blocks=[ThinkingBlock(content="Hm."), TextBlock(text="Yes")]), *user()]
    await ask(connect(server), history)
    await ask(connect(server), history, reasoning_replay="all")
    assert [body["messages"][0].get("reasoning") for body in server.bodies] == [None, "Hm."]


@every_chat
async def test_a_misspelt_argument_is_refused_with_the_right_name(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve()
    with pytest.raises(ConfigurationError, match="'temperture'; did you mean 'temperature'"):
        await ask(connect(server), user(), temperture=1)
    assert server.requests == []


@every_chat
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"temperature": -1}, "temperature"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"tool_choice": "required"}, "needs tools"),
        ({"top_logprobs": 2}, "logprobs=True"),
    ],
)
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    ask: Chat, arguments: dict[str, Any], complaint: str, serve: Serve, connect: Connect
) -> None:
    server = serve()
    with pytest.raises(ConfigurationError, match=complaint):
        await ask(connect(server), user(), **arguments)
    assert server.requests == []


@every_chat
async def test_an_empty_conversation_is_refused(ask: Chat, serve: Serve, connect: Connect) -> None:
    with pytest.raises(ConfigurationError, match="messages is empty"):
        await ask(connect(serve()), [])


@every_chat
async def test_the_system_prompt_is_for_predictions_only(ask: Chat, serve: Serve, connect: Connect) -> None:
    server = serve()
    await ask(connect(server, system_prompt="Be brief."), user())
    assert [message["role"] for message in server.bodies[0]["messages"]] == ["user"]


@every_chat
async def test_log_probabilities_come_back(ask: Chat, serve: Serve, connect: Connect) -> None:
    tokens: list[dict[str, Any]] = [
        {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []} for text in ("Hell", "o")
    ]
    server = serve(Answer("Hello", logprobs=tokens))
    responses = await ask(connect(server), user(), logprobs=True)
    found = [entries[0].token for response in responses for entries in response.logprobs or ()]
    assert found == ["Hell", "o"]
    assert server.bodies[0]["logprobs"] is True


@pytest.mark.parametrize("ask", CHATS[:2])
async def test_further_answers_are_in_raw(ask: Chat, serve: Serve, connect: Connect) -> None:
    (response,) = await ask(connect(serve()), user(), n=2)
    assert response.message.content == "Hello"
    assert response.raw is not None
    assert [choice["index"] for choice in response.raw["choices"]] == [0, 1]


@every_stream
async def test_a_stream_of_several_answers_is_refused(ask: Chat, serve: Serve, connect: Connect) -> None:
    with pytest.raises(ConfigurationError, match="n > 1 cannot be streamed"):
        await ask(connect(serve()), user(), n=2)


@every_chat
async def test_an_error_of_the_server_has_its_type(ask: Chat, serve: Serve, connect: Connect) -> None:
    text = "This model's maximum context length is 4096 tokens. However, your prompt contains 5000 input tokens."
    server = serve(Answer(status=400, extra={"error": {"message": text, "type": "BadRequestError", "code": 400}}))
    with pytest.raises(ContextOverflowError) as caught:
        await ask(connect(server), user())
    assert caught.value.limit == 4096
    assert isinstance(caught.value, BadRequestError)


@every_stream
async def test_a_truncated_stream_is_an_error(ask: Chat, serve: Serve, connect: Connect) -> None:
    with pytest.raises(StreamInterruptedError) as caught:
        await ask(connect(serve(Answer("The answer is NOT", finish=None, usage=None))), user())
    assert caught.value.partial is not None
    assert caught.value.partial.text == "The answer is NOT"


@every_stream
async def test_an_error_in_a_stream_is_an_error(ask: Chat, serve: Serve, connect: Connect) -> None:
    events = [chunk(content="Hel"), {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}]
    with pytest.raises(VllmError, match="engine died"):
        await ask(connect(serve(Answer(events=events))), user())


@every_stream
async def test_an_empty_answer_has_at_least_one_chunk(ask: Chat, serve: Serve, connect: Connect) -> None:
    chunks = await ask(connect(serve(Answer("", usage=None))), user())
    assert chunks[-1].message == ChatMessage(role="assistant", content="")


def test_streams_have_the_types_that_llama_index_expects(serve: Serve, connect: Connect) -> None:
    llm = connect(serve())
    assert isinstance(llm.stream_chat(user()), Generator)
    assert isinstance(llm.stream_complete("Hi"), Generator)
    for method in (VllmLLM.astream_chat, VllmLLM.astream_complete):
        assert inspect.iscoroutinefunction(method)


async def test_async_streams_are_awaited_first(serve: Serve, connect: Connect) -> None:
    llm = connect(serve())
    stream = await llm.astream_chat(user())
    assert isinstance(stream, AsyncGenerator)
    assert (await stream.__anext__()).message.content is not None
    await stream.aclose()


def test_leaving_a_stream_closes_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve(Answer("word " * 100_000))
    stream = connect(server).stream_chat(user())
    next(stream)
    stream.close()
    assert server.cut_off.wait(5)


async def test_leaving_an_async_stream_closes_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve(Answer("word " * 100_000))
    stream = await connect(server).astream_chat(user())
    await stream.__anext__()
    await stream.aclose()
    await asyncio.sleep(0)  # LlamaIndex's wrapper leaves the inner generator to the loop
    assert await asyncio.to_thread(server.cut_off.wait, 5)


async def test_cancelling_a_stream_closes_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve(Answer("word " * 100_000))
    llm = connect(server)
    started = asyncio.Event()

    async def consume() -> None:
        async for _ in await llm.astream_chat(user()):
            started.set()
            await asyncio.sleep(0)

    task = asyncio.create_task(consume())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.cut_off.wait, 5)


def test_event_loops_can_follow_each_other(serve: Serve) -> None:
    server = serve()

    async def once(llm: VllmLLM) -> str | None:
        content = (await llm.achat(user())).message.content
        await llm.aclose()
        return content

    llm = VllmLLM(base_url=server.url)
    assert [asyncio.run(once(llm)) for _ in range(3)] == ["Hello"] * 3


def test_threads_can_share_a_model(serve: Serve, connect: Connect) -> None:
    llm = connect(serve())
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(llm.chat(user()).message.content)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Hello"] * 8


async def test_concurrent_calls(serve: Serve, connect: Connect) -> None:
    llm = connect(serve())
    responses = await asyncio.gather(*(llm.achat(user()) for _ in range(8)))
    assert [response.message.content for response in responses] == ["Hello"] * 8


async def test_streaming_can_be_disabled(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(), streaming_allowed=False)
    with pytest.raises(ConfigurationError, match="streaming_allowed"):
        await stream_chat(llm, user())
    assert llm.chat(user()).message.content == "Hello"


def test_a_client_of_the_caller_is_used(serve: Serve, connect: Connect) -> None:
    server: FakeVllm = serve()
    real = connect(server)
    real.chat(user())
    other = VllmLLM(client=real.client, base_url="http://nowhere.invalid")
    assert other.chat(user()).message.content == "Hello"
    assert len(server.bodies) == 2
