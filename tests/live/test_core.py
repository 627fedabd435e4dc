"""The core against real servers."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable

import pytest
from vllm_connect import (
    AsyncVllmClient,
    AuthenticationError,
    ChatRequest,
    Completion,
    ContextOverflowError,
    ModelNotFoundError,
    VllmClient,
    VllmConfig,
    VllmError,
    fold,
)

pytestmark = pytest.mark.live

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TWO_CITIES = ChatRequest(
    messages=[{"role": "user", "content": "What is the weather in Paris and Rome?"}],
    tools=[WEATHER],
    model="demo",
    temperature=0,
    max_tokens=200,
)
HELLO = ChatRequest(messages=[{"role": "user", "content": "Hello"}], model="demo", temperature=0)


def complete(url: str, request: ChatRequest) -> Completion:
    with VllmClient(VllmConfig(base_url=url)) as client:
        return client.complete(request)


def stream(url: str, request: ChatRequest) -> Completion:
    with VllmClient(VllmConfig(base_url=url)) as client:
        return fold([delta for deltas in client.stream(request) for delta in deltas], tools=request.tools)


def acomplete(url: str, request: ChatRequest) -> Completion:
    async def ask() -> Completion:
        async with AsyncVllmClient(VllmConfig(base_url=url)) as client:
            return await client.complete(request)

    return asyncio.run(ask())


def astream(url: str, request: ChatRequest) -> Completion:
    async def ask() -> Completion:
        async with AsyncVllmClient(VllmConfig(base_url=url)) as client:
            return fold([delta async for deltas in client.stream(request) for delta in deltas], tools=request.tools)

    return asyncio.run(ask())


WAYS = pytest.mark.parametrize("ask", [complete, stream, acomplete, astream])


@WAYS
@pytest.mark.parametrize(
    ("server", "via"),
    [
        ("flagged_server", "server"),
        ("plain_server", "client:auto"),
        ("wrong_server", "recovered:auto"),
        ("dropping_server", "client:auto"),
    ],
)
def test_the_same_calls_on_every_server(
    request: pytest.FixtureRequest, ask: Callable[[str, ChatRequest], Completion], server: str, via: str
) -> None:
    answer = ask(request.getfixturevalue(server), TWO_CITIES)
    assert [(call.name, call.parsed()) for call in answer.tool_calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Rome"}),
    ]
    assert answer.reasoning.strip() == "I should use a tool for this."
    assert answer.finish_reason == "tool_calls"
    assert answer.metadata["tool_calls_via"] == via
    assert answer.text.strip() == ""
    assert len({call.id for call in answer.tool_calls}) == 2


@WAYS
@pytest.mark.parametrize("source", ["token_ids", "completions"])
@pytest.mark.parametrize("server", ["flagged_server", "dropping_server"])
def test_the_models_own_words_past_every_parser(
    request: pytest.FixtureRequest, ask: Callable[[str, ChatRequest], Completion], server: str, source: str
) -> None:
    sources = {"text_source": source, "tool_parser": "hermes"}
    answer = ask(request.getfixturevalue(server), TWO_CITIES.model_copy(update=sources))
    assert [call.parsed() for call in answer.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert (answer.reasoning.strip(), answer.text.strip()) == ("I should use a tool for this.", "")
    assert answer.metadata["tool_calls_via"] == "client:hermes"
    assert answer.finish_reason == "tool_calls"


@WAYS
@pytest.mark.parametrize("server", ["flagged_server", "plain_server"])
def test_reasoning_apart_from_the_answer(
    request: pytest.FixtureRequest, ask: Callable[[str, ChatRequest], Completion], server: str
) -> None:
    answer = ask(request.getfixturevalue(server), HELLO)
    assert answer.text.strip() == "Hello! How can I help you today?"
    assert answer.reasoning.strip() == "I can answer this directly."
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@WAYS
def test_a_truncated_call_is_never_run(plain_server: str, ask: Callable[[str, ChatRequest], Completion]) -> None:
    for limit in range(1, 40):
        answer = ask(plain_server, TWO_CITIES.model_copy(update={"max_tokens": limit}))
        assert answer.finish_reason in ("length", "tool_calls")
        for call in answer.tool_calls:
            assert call.parsed() in ({"city": "Paris"}, {"city": "Rome"})


@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_a_forced_call_without_a_parser(plain_server: str, choice: str) -> None:
    answer = complete(plain_server, TWO_CITIES.model_copy(update={"tool_choice": choice}))
    assert {call.name for call in answer.tool_calls} == {"get_weather"}
    assert all(call.parsed() in ({"city": "Paris"}, {"city": "Rome"}) for call in answer.tool_calls)
    assert answer.metadata["tool_calls_via"] == "forced"


def test_what_the_server_says_of_itself(flagged_server: str) -> None:
    with VllmClient(VllmConfig(base_url=f"{flagged_server}/v1/chat/completions")) as client:
        info = client.server_info()
        assert info.version == (0, 32, 0)
        assert info.context_window("demo") == 4096
        assert client.is_healthy()
        assert client.detokenize(client.tokenize("Hello")) == "Hello"
        usage = client.complete(TWO_CITIES).usage
        assert usage is not None
        assert client.count_tokens(TWO_CITIES) == usage.prompt_tokens


def test_errors_say_what_to_do(flagged_server: str) -> None:
    with pytest.raises(ModelNotFoundError, match="/v1/models") as unknown:
        complete(flagged_server, HELLO.model_copy(update={"model": "nope"}))
    assert unknown.value.available == ("demo",)
    long = ChatRequest(messages=[{"role": "user", "content": "word " * 6000}], model="demo")
    with pytest.raises(ContextOverflowError, match="max-model-len") as overflow:
        complete(flagged_server, long)
    assert overflow.value.limit == 4096


def test_no_server_at_all() -> None:
    config = VllmConfig(base_url="http://127.0.0.1:9", max_retries=1, retry_delay=0.01)
    with VllmClient(config) as client, pytest.raises(VllmError, match=r"127\.0\.0\.1:9") as caught:
        client.complete(HELLO)
    assert caught.value.attempts == 2
    assert not isinstance(caught.value, AuthenticationError)


def running_requests(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vllm:num_requests_running"))


def test_a_consumer_that_leaves_stops_the_server(flagged_server: str) -> None:
    story = ChatRequest(
        messages=[{"role": "user", "content": "Write a story about a cat."}],
        model="demo",
        temperature=0,
        max_tokens=3000,
        ignore_eos=True,
    )
    with VllmClient(VllmConfig(base_url=flagged_server)) as client:
        answer = client.stream(story)
        next(answer)
        next(answer)
        assert running_requests(flagged_server) >= 1
        answer.close()
        deadline = time.monotonic() + 20
        while running_requests(flagged_server) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert running_requests(flagged_server) == 0


def test_a_schema_holds(flagged_server: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "city": {"type": "string", "maxLength": 20}},
        "required": ["name", "city"],
        "additionalProperties": False,
    }
    request = ChatRequest(
        messages=[{"role": "user", "content": "Extract the person: Alice lives in Paris."}],
        model="demo",
        temperature=0,
        max_tokens=300,
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema}},
    )
    answer = complete(flagged_server, request)
    assert answer.finish_reason == "stop"
    assert set(json.loads(answer.text)) == {"name", "city"}


FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "schema": {
            "type": "object",
            "properties": {"verdict": {"enum": ["yes", "no"]}},
            "required": ["verdict"],
            "additionalProperties": False,
        },
    },
}


@WAYS
@pytest.mark.parametrize("server", ["flagged_server", "plain_server", "wrong_server", "dropping_server"])
def test_tools_and_a_schema_in_one_request(
    request: pytest.FixtureRequest, ask: Callable[[str, ChatRequest], Completion], server: str
) -> None:
    url = request.getfixturevalue(server)
    called = ask(url, TWO_CITIES.model_copy(update={"response_format": FORM}))
    assert [call.parsed() for call in called.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert "unconstrained_draft" not in called.metadata
    changes = {"response_format": FORM, "tools": TWO_CITIES.tools, "max_tokens": 300}
    said = ask(url, HELLO.model_copy(update=changes))
    assert json.loads(said.text)["verdict"] in ("yes", "no")
    assert said.metadata["unconstrained_draft"].strip() == "Hello! How can I help you today?"
