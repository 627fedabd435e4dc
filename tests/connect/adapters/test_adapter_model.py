"""A model class without a framework: its settings, its clients, its requests and its copies."""

import asyncio
import copy
import io
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from vllm_connect import AsyncVllmClient, ChatRequest, ConfigurationError, VllmClient, VllmConfig
from vllm_connect.adapters import AdapterModel
from vllm_connect.testing import Answer, LoopbackServer

MESSAGES = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]
KEY = "sk-canary-0123456789"
HELLO = {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "MAX_RETRIES", "MODEL", "TEMPERATURE", "TIMEOUT"):
        monkeypatch.delenv(f"VLLM_{name}", raising=False)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(lambda _: Answer.json(HELLO)) as running:
        yield running


def ask(model: AdapterModel, **connection: Any) -> str:
    with model._cache.blocking(model, connection) as client:
        return client.complete(ChatRequest(messages=MESSAGES)).text


async def aask(model: AdapterModel, **connection: Any) -> str:
    async with model._cache.asynchronous(model, connection) as client:
        return (await client.complete(ChatRequest(messages=MESSAGES))).text


# Settings


def test_the_environment_is_read_when_a_model_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODEL": "env", "TEMPERATURE": "1e-1", "BASE_URL": "http://env:1", "API_KEY": KEY}.items():
        monkeypatch.setenv(f"VLLM_{name}", value)
    model = AdapterModel()
    assert (model.model, model.temperature, model.base_url) == ("env", 0.1, "http://env:1")
    assert model.api_key == SecretStr(KEY)
    assert AdapterModel(model="own", temperature=1).model == "own"


@pytest.mark.parametrize("text", ["warm", "-1", "inf", "nan"])
def test_a_malformed_temperature_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_TEMPERATURE", text)
    with pytest.raises(ConfigurationError, match="VLLM_TEMPERATURE is malformed: expected a number of at least 0"):
        AdapterModel()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"context_window": 0}, "context_window"),
        ({"reasoning_replay": "some"}, "reasoning_replay"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_a_wrong_setting_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        AdapterModel(**given)


def test_no_frame_of_an_error_holds_a_key() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AdapterModel(api_key=KEY, temprature=1)
    trace, seen = caught.value.__traceback__, []
    while trace is not None:
        seen.append(repr(trace.tb_frame.f_locals) if trace.tb_frame.f_globals["__name__"] != __name__ else "")
        trace = trace.tb_next
    assert len(seen) > 1
    assert KEY not in "".join(seen)


# Requests


def test_a_request_has_the_fields_the_messages_and_the_tools() -> None:
    request = AdapterModel()._build_request({"top_k": 5, "parallel_tool_calls": False}, MESSAGES, TOOLS, stream=False)
    assert request.body() == {"top_k": 5, "parallel_tool_calls": False, "messages": MESSAGES, "tools": TOOLS}


@pytest.mark.parametrize("tools", [None, []])
def test_without_tools_nothing_about_tools_is_sent(tools: list[dict[str, Any]] | None) -> None:
    request = AdapterModel()._build_request({"parallel_tool_calls": False}, MESSAGES, tools, stream=False)
    assert request.body() == {"messages": MESSAGES}


def test_a_stream_of_several_answers_is_refused() -> None:
    assert AdapterModel()._build_request({"n": 1}, MESSAGES, None, stream=True).stream
    with pytest.raises(ConfigurationError, match="n > 1 cannot be streamed"):
        AdapterModel()._build_request({"n": 2}, MESSAGES, None, stream=True)


# Clients


def test_a_client_is_created_when_it_is_needed() -> None:
    model = AdapterModel()
    assert model._cache.current is None
    assert isinstance(model.client, VllmClient)
    assert isinstance(model.async_client, AsyncVllmClient)
    assert model.client is model.client


def test_threads_that_come_first_get_the_same_client() -> None:
    model, barrier = AdapterModel(), threading.Barrier(8)
    found: list[VllmClient] = []

    def find() -> None:
        barrier.wait()
        found.append(model.client)

    threads = [threading.Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1


async def test_a_changed_setting_applies_from_the_next_call(server: LoopbackServer) -> None:
    model = AdapterModel(base_url="http://127.0.0.1:9")
    before = model.client, model.async_client
    model.base_url = server.url
    assert (ask(model), await aask(model)) == ("Hello", "Hello")
    assert not {model.client, model.async_client} & set(before)


async def test_a_call_has_its_own_connection_settings(server: LoopbackServer) -> None:
    model = AdapterModel(base_url="http://127.0.0.1:9", headers={"X-A": "1"})
    assert ask(model, base_url=server.url, api_key=KEY) == "Hello"
    assert await aask(model, base_url=server.url, headers={"X-B": "2"}) == "Hello"
    first, second = (asked.headers for asked in server.asked)
    assert (first["x-a"], first["authorization"]) == ("1", f"Bearer {KEY}")
    assert second["x-b"] == "2"
    assert "authorization" not in second
    assert model.base_url == "http://127.0.0.1:9"
    assert model._cache.current is None


async def test_a_wrong_connection_setting_of_a_call_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        ask(AdapterModel(), timeout=-1)
    with pytest.raises(ConfigurationError, match="timeout"):
        await aask(AdapterModel(), timeout=-1)


async def test_clients_of_the_caller_are_used_and_never_closed(server: LoopbackServer) -> None:
    client, async_client = (
        VllmClient(AdapterModel(base_url=server.url)),
        AsyncVllmClient(AdapterModel(base_url=server.url)),
    )
    async with AdapterModel(client=client, async_client=async_client) as model:
        assert (ask(model), await aask(model)) == ("Hello", "Hello")
        assert (model.client, model.async_client) == (client, async_client)
    for call in (lambda: ask(model, timeout=3), lambda: asyncio.run(aask(model, timeout=3))):
        with pytest.raises(
            ConfigurationError, match="timeout cannot be set for one call of a model with a client of its own"
        ):
            await asyncio.to_thread(call)
    assert len(server.asked) == 2


async def test_http_clients_of_the_caller_are_used_and_never_closed(server: LoopbackServer) -> None:
    with httpx.Client(headers={"X-Own": "1"}) as http_client:
        async with httpx.AsyncClient(headers={"X-Own": "2"}) as http_async_client:
            model = AdapterModel(base_url=server.url, http_client=http_client, async_http_client=http_async_client)
            assert (ask(model), await aask(model)) == ("Hello", "Hello")
            assert (ask(model, max_retries=0), await aask(model, max_retries=0)) == ("Hello", "Hello")
            model.close()
            await model.aclose()
            assert not http_client.is_closed
            assert not http_async_client.is_closed
    assert [asked.headers["x-own"] for asked in server.asked] == ["1", "2", "1", "2"]


async def test_a_closed_model_can_be_used_again(server: LoopbackServer) -> None:
    with AdapterModel(base_url=server.url) as model:
        assert ask(model) == "Hello"
    async with model:
        assert await aask(model) == "Hello"
    assert ask(model) == "Hello"
    model.close()
    AdapterModel().close()
    await AdapterModel().aclose()


# Copies

COPIES: list[Callable[[AdapterModel], AdapterModel]] = [
    copy.copy,
    copy.deepcopy,
    lambda model: model.model_copy(deep=True),
    lambda model: pickle.loads(pickle.dumps(model)),  # noqa: S301 - our own
]


def test_a_copy_shares_the_clients_until_a_setting_differs() -> None:
    model = AdapterModel(base_url="http://gpu-1:8000")
    client = model.client
    same, warmer = copy.copy(model), model.model_copy(update={"temperature": 1})
    other = model.model_copy(update={"base_url": "http://gpu-2:8000"})
    assert same.client is warmer.client is client
    assert other.client is other.client is not client
    same.base_url = "http://gpu-3:8000"
    assert (model.client is client, same.client is client) == (True, False)


@pytest.mark.parametrize("copied", COPIES[1:])
def test_a_deep_copy_and_a_pickle_have_their_own_clients(copied: Any) -> None:
    model = AdapterModel(model="demo", top_k=5)
    client = model.client
    again = copied(model)
    assert again == model
    assert again.client is not client


@pytest.mark.parametrize("copied", COPIES[:3])
def test_copies_share_the_clients_and_the_key_of_the_caller(copied: Any) -> None:
    client = VllmClient()
    with httpx.Client() as http_client:
        again = copied(AdapterModel(client=client, http_client=http_client, api_key=KEY))
        assert (again.client, again.http_client, again.api_key) == (client, http_client, SecretStr(KEY))


def test_a_pickle_has_no_client_and_no_key() -> None:
    with httpx.Client() as http_client:
        data = pickle.dumps(AdapterModel(client=VllmClient(), http_client=http_client, api_key=KEY))
    assert KEY.encode() not in data
    again = pickle.loads(data)  # noqa: S301 - our own
    assert (again.http_client, again.api_key, again._cache.current) == (None, None, None)
    assert isinstance(again.client, VllmClient)


def test_models_are_equal_by_their_settings_and_the_clients_of_the_caller() -> None:
    client = VllmClient()
    assert AdapterModel(top_k=5) == AdapterModel(top_k=5) != AdapterModel(top_k=6)
    assert AdapterModel(client=client) == AdapterModel(client=client) != AdapterModel()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"client": "x"}, "client must be an instance of vllm_connect.VllmClient"),
        ({"async_client": "x"}, "async_client must be an instance of vllm_connect.AsyncVllmClient"),
        ({"http_client": "x"}, "http_client must be an httpx.Client"),
        ({"http_client": io.BytesIO()}, "http_client must be an httpx.Client"),
        ({"http_client": httpx.AsyncClient()}, "set http_async_client"),
        ({"proxies": {"https": "http://proxy"}}, "pass one URL as proxy"),
        ({"http_async_client": httpx.Client()}, "set http_client"),
        ({"reasoning": "extreme"}, "reasoning: Input should be a valid boolean.* or 'none', 'minimal'"),
        ({"message_policy": 3}, "message_policy: .*'auto' or 'none'"),
        ({"tool_parser": "hermess"}, "there is no tool-call format 'hermess': use hermes"),
        ({"reasoning_parser": "qwen33"}, "there is no reasoning parser 'qwen33': use qwen3"),
        ({"structured_outputs": {"rgex": "a"}}, "unknown argument 'rgex'; did you mean 'regex'"),
        ({"structured_outputs": {"json": "{"}}, "structured_outputs.json: it is not JSON"),
    ],
)
def test_mistakes_are_refused_when_the_model_is_created(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        AdapterModel(**given)
    assert len(str(caught.value).splitlines()) == 1


def test_a_client_takes_a_url_or_settings_in_place_of_a_configuration() -> None:
    for client in (
        VllmClient("http://gpu:8000/v1"),
        VllmClient(base_url="http://gpu:8000"),
        AsyncVllmClient("http://gpu:8000"),
    ):
        assert client.config.base_url == "http://gpu:8000"
    assert VllmClient("http://gpu:8000", max_retries=3).config.max_retries == 3
    with pytest.raises(ConfigurationError, match="did you mean 'timeout'"):
        VllmClient(tmeout=3)
    with pytest.raises(ConfigurationError, match="timeout beside a configuration"):
        VllmClient(VllmConfig(), timeout=3)
