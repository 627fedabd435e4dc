"""The model object: arguments, names of other integrations, metadata, copies, secrets."""

import asyncio
import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import httpx
import pytest
from llama_index.core import Settings
from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.indices.prompt_helper import PromptHelper
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.types import PydanticProgramMode
from llama_index_vllm import VllmLLM
from pydantic import SecretStr
from vllm_connect import ConfigurationError, VllmConfig, find_format

from tests.llamaindex.conftest import Connect, Serve
from tests.llamaindex.fake_vllm import FakeVllm
from tests.llamaindex.ways import user

KEY, HEADER, PASSWORD = "sk-canary-key", "canary-header", "canary-password"


def test_it_is_a_function_calling_llm() -> None:
    llm = VllmLLM()
    assert isinstance(llm, FunctionCallingLLM)
    assert isinstance(llm, VllmConfig)
    assert llm.class_name() == "VllmLLM"


# Arguments


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"temprature": 1}, "'temprature'; did you mean 'temperature'"),
        ({"contxt_window": 1}, "did you mean 'context_window'"),
        ({"temperature": -1}, "temperature"),
        ({"context_window": 0}, "context_window"),
        ({"reasoning_replay": "some"}, "reasoning_replay"),
        ({"base_url": "nonsense"}, "http"),
        ({"api_key": "a\nb"}, "control character"),
        ({"tokenizer": "gpt2"}, "tokens are counted by the server"),
        ({"best_of": 2}, "use n"),
        ({"api_base": "http://a", "base_url": "http://b"}, "pass base_url only"),
    ],
)
def test_a_wrong_argument_is_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        VllmLLM(**arguments)
    assert isinstance(caught.value, ValueError)


@pytest.mark.filterwarnings("ignore:.*is called headers here:DeprecationWarning")
def test_two_names_of_one_argument_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="another name of headers"):
        VllmLLM(api_headers={"a": "b"}, default_headers={"c": "d"})


@pytest.mark.parametrize(
    ("name", "value", "field", "found"),
    [
        ("api_base", "http://gpu:8000/v1", "base_url", "http://gpu:8000"),
        ("api_url", "http://gpu:8000/generate", "base_url", "http://gpu:8000"),
        ("api_url", "http://gpu:8000/v1/chat/completions", "base_url", "http://gpu:8000"),
        ("max_new_tokens", 5, "max_tokens", 5),
        ("api_headers", {"X-A": "b"}, "headers", {"X-A": SecretStr("b")}),
        ("default_headers", {"X-A": "b"}, "headers", {"X-A": SecretStr("b")}),
    ],
)
def test_names_of_other_integrations_are_translated(name: str, value: object, field: str, found: object) -> None:
    with pytest.warns(DeprecationWarning, match=f"{name} is called {field} here") as caught:
        llm = VllmLLM(**{name: value})
    assert getattr(llm, field) == found
    assert caught[0].filename == __file__


def test_names_of_other_integrations_are_translated_in_calls(serve: Serve, connect: Connect) -> None:
    server = serve()
    with pytest.warns(DeprecationWarning, match="max_new_tokens is called max_tokens here"):
        connect(server, max_tokens=100).chat(user(), max_new_tokens=5)
    assert server.bodies[0]["max_tokens"] == 5


def test_the_environment_is_read_when_a_model_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODEL": "env", "TEMPERATURE": "0.25", "BASE_URL": "http://env:1", "API_KEY": KEY}.items():
        monkeypatch.setenv(f"VLLM_{name}", value)
    llm = VllmLLM()
    assert (llm.model, llm.temperature, llm.base_url) == ("env", 0.25, "http://env:1")
    assert VllmLLM(model="own", temperature=1).model == "own"
    monkeypatch.setenv("VLLM_TEMPERATURE", "warm")
    with pytest.raises(ConfigurationError, match="VLLM_TEMPERATURE"):
        VllmLLM()


def test_a_changed_setting_applies_from_the_next_call(serve: Serve, connect: Connect) -> None:
    first, second = serve(), serve()
    llm = connect(first)
    llm.chat(user())
    llm.base_url = second.url
    llm.max_tokens = 3
    llm.chat(user())
    assert (len(first.bodies), [body["max_tokens"] for body in second.bodies]) == (1, [3])


def test_the_key_and_headers_are_sent(serve: Serve, connect: Connect) -> None:
    server = serve()
    connect(server, api_key=KEY, headers={"X-Team": HEADER}).chat(user())
    assert (
        server.headers[0]["authorization" if "authorization" in server.headers[0] else "Authorization"]
        == f"Bearer {KEY}"
    )
    assert HEADER in server.headers[0].values()


# Metadata


def test_metadata_describes_the_model() -> None:
    metadata = VllmLLM(model="demo", max_tokens=7, context_window=100).metadata
    assert metadata == LLMMetadata(
        context_window=100, num_output=7, is_chat_model=True, is_function_calling_model=True, model_name="demo"
    )
    assert VllmLLM(context_window=1).metadata.num_output == -1
    assert not VllmLLM(is_chat_model=False, is_function_calling_model=False).metadata.is_chat_model


def test_the_context_window_is_requested_once_and_only_when_read(serve: Serve, connect: Connect) -> None:
    server = serve(window=1234)
    llm = connect(server)
    llm.chat(user())
    assert llm.metadata.is_function_calling_model
    assert llm.metadata.num_output == -1
    assert server.paths == ["/v1/chat/completions"]
    assert [llm.metadata.context_window for _ in range(3)] == [1234] * 3
    assert llm.metadata.model_dump()["context_window"] == 1234
    assert sorted(server.paths[1:]) == ["/v1/models", "/version"]


@pytest.mark.parametrize("window", [None, 0])
def test_an_unknown_context_window_is_llama_index_s_default(window: int | None, serve: Serve, connect: Connect) -> None:
    assert connect(serve(window=window)).metadata.context_window == DEFAULT_CONTEXT_WINDOW


def test_metadata_never_raises() -> None:
    llm = VllmLLM(base_url="http://127.0.0.1:9", max_retries=0)
    assert llm.metadata.context_window == DEFAULT_CONTEXT_WINDOW
    assert llm.metadata.model_name == "unknown"


async def test_metadata_does_not_block_an_event_loop(serve: Serve, connect: Connect) -> None:
    server = serve(window=1234)
    llm = connect(server)
    assert llm.metadata.context_window == DEFAULT_CONTEXT_WINDOW
    assert server.requests == []
    await llm.achat(user())
    assert sorted(server.paths) == ["/v1/chat/completions", "/v1/models", "/version"]
    assert llm.metadata.context_window == 1234
    await llm.achat(user())
    assert len(server.requests) == 4


async def test_a_stream_requests_the_context_window_too(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(window=1234))
    assert llm.metadata.context_window == DEFAULT_CONTEXT_WINDOW
    async for _ in await llm.astream_chat(user()):
        pass
    assert llm.metadata.context_window == 1234


async def test_the_context_window_can_be_requested_first(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(window=1234), model=None)
    info = await llm.aserver_info()
    assert info.version == (0, 32, 0)
    assert (llm.metadata.context_window, llm.metadata.model_name) == (1234, "demo")


def test_consumers_read_the_context_window(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(window=50_000))
    assert PromptHelper.from_llm_metadata(llm.metadata).context_window == 50_000
    assert ChatMemoryBuffer.from_defaults(llm=llm).token_limit == 37_500


def test_the_payload_is_safe_and_needs_no_request(serve: Serve, connect: Connect) -> None:
    server = serve(window=1234)
    llm = connect(server, temperature=0.5, api_key=KEY, headers={"X-A": HEADER})
    before = llm.to_payload()
    assert before == {
        "class_name": "VllmLLM",
        "model": "demo",
        "model_name": "demo",
        "temperature": 0.5,
        "num_output": -1,
        "is_chat_model": True,
        "is_function_calling_model": True,
    }
    assert server.requests == []
    llm.server_info()
    assert llm.to_payload() == {**before, "context_window": 1234}
    assert VllmLLM(context_window=7).to_payload()["context_window"] == 7


# The server


def test_tokens_are_counted_by_the_server(serve: Serve, connect: Connect) -> None:
    server = serve()
    llm = connect(server)
    tool = FunctionTool.from_defaults(lambda a: a, name="same", description="Same.")
    assert llm.tokenize("one two three") == [0, 1, 2]
    assert llm.count_tokens(user("one two"), tools=[tool]) > 0
    assert server.requests[1][1]["tools"][0]["function"]["name"] == "same"
    before = Settings.tokenizer
    Settings.tokenizer = llm.tokenize
    try:
        assert len(Settings.tokenizer("one two")) == 2
    finally:
        Settings.tokenizer = before


async def test_tokens_are_counted_asynchronously(serve: Serve, connect: Connect) -> None:
    llm = connect(serve())
    assert await llm.atokenize("one two three") == [0, 1, 2]
    assert await llm.acount_tokens(user("one two")) == llm.count_tokens(user("one two"))


async def test_is_healthy_checks_the_server(serve: Serve, connect: Connect) -> None:
    llm = connect(serve())
    assert not llm.is_healthy()  # the fake has no /health
    assert not await llm.ais_healthy()


# Copies


def full() -> VllmLLM:
    return VllmLLM(
        base_url=f"http://user:{PASSWORD}@gpu:8000",
        model="demo",
        api_key=KEY,
        headers={"X-A": HEADER},
        proxy=f"http://user:{PASSWORD}@proxy:1",
        temperature=0.5,
        timeout=3,
        stop=["END"],
        system_prompt="Be brief.",
        pydantic_program_mode=PydanticProgramMode.FUNCTION,
        structured_outputs={"regex": "a"},
        extra_body={"a": {"b": 1}},
        client_cert=("a", "b"),
        reasoning_replay="all",
        strict=True,
    )


def test_a_format_is_stored_by_its_name() -> None:
    llm = VllmLLM(tool_parser=find_format("hermes"))
    assert llm.tool_parser == "hermes"
    for made in VllmLLM.from_dict(json.loads(llm.to_json())), pickle.loads(pickle.dumps(llm)), copy.deepcopy(llm):  # noqa: S301 - our own bytes
        assert made.tool_parser == "hermes"


def test_no_dump_has_a_secret() -> None:
    llm = full()
    shown = [repr(llm), str(llm), json.dumps(llm.to_dict(), default=str), llm.to_json(), llm.model_dump_json()]
    shown += [str(llm.to_payload()), repr(pickle.dumps(llm)), str(llm.metadata)]
    for text in shown:
        for secret in (KEY, HEADER, PASSWORD):
            assert secret not in text


def test_from_dict_is_the_inverse_of_to_dict() -> None:
    llm = full()
    for data in (llm.to_dict(), json.loads(llm.to_json())):
        made = VllmLLM.from_dict(data)
        assert made.to_dict() == llm.to_dict()
        assert made.timeout == llm.timeout
    assert VllmLLM.from_dict(llm.to_dict(), api_key=KEY).api_key == SecretStr(KEY)
    assert llm.to_dict()["class_name"] == "VllmLLM"


def test_a_pickle_has_all_but_secrets_and_connections(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    llm = connect(server, api_key=KEY, max_tokens=5)
    llm.chat(user())
    monkeypatch.setenv("VLLM_API_KEY", "sk-other")
    made = pickle.loads(pickle.dumps(llm))  # noqa: S301 - our own bytes
    assert made.to_dict() == llm.to_dict()
    assert made.api_key == SecretStr("sk-other")
    with made:
        assert made.chat(user()).message.content == "Hello"
    assert server.bodies[0] == server.bodies[1]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda llm: llm.model_copy(deep=True)])
def test_a_copy_is_independent(copied: Any, serve: Serve, connect: Connect) -> None:
    first, second = serve(), serve()
    llm = connect(first, api_key=KEY)
    llm.chat(user())
    made = copied(llm)
    made.base_url = second.url
    with made:
        made.chat(user())
        llm.chat(user())
    assert (len(first.bodies), len(second.bodies)) == (2, 1)
    assert made.api_key == llm.api_key


def test_a_copy_shares_the_clients_until_a_setting_differs() -> None:
    llm = VllmLLM(base_url="http://127.0.0.1:1")
    mine = llm.client
    same, warmer = copy.copy(llm), llm.model_copy(update={"temperature": 1.0})
    other = llm.model_copy(update={"base_url": "http://127.0.0.1:2"})
    assert same.client is warmer.client is mine
    assert other.client is other.client is not mine
    same.base_url = "http://127.0.0.1:3"
    assert same.client is not mine
    assert llm.client is mine


def test_copies_share_the_http_client_of_the_caller(serve: Serve) -> None:
    server: FakeVllm = serve()
    with httpx.Client() as client:
        llm = VllmLLM(base_url=server.url, http_client=client)
        made = copy.deepcopy(llm)
        assert made.http_client is client
        assert made.chat(user()).message.content == "Hello"
        llm.close()
        assert not client.is_closed


async def test_the_caller_s_async_client_is_used(serve: Serve) -> None:
    server = serve()
    async with httpx.AsyncClient(headers={"X-Own": "1"}) as client:
        llm = VllmLLM(base_url=server.url, async_http_client=client)
        assert (await llm.achat(user())).message.content == "Hello"
        await llm.aclose()
        assert not client.is_closed
    assert "1" in server.headers[0].values()


def test_a_closed_model_can_be_used_again(serve: Serve) -> None:
    server = serve()
    with VllmLLM(base_url=server.url) as llm:
        llm.chat(user())
    assert llm.chat(user()).message.content == "Hello"
    llm.close()
    VllmLLM().close()


def test_a_model_can_be_closed_asynchronously(serve: Serve) -> None:
    server = serve()

    async def ask() -> str | None:
        async with VllmLLM(base_url=server.url) as llm:
            return (await llm.achat([ChatMessage("Hi")])).message.content

    assert asyncio.run(ask()) == "Hello"
    asyncio.run(VllmLLM().aclose())


# Imports


def test_importing_loads_no_heavy_package_and_registers_no_exit_handler() -> None:
    code = (
        "import sys, atexit; import llama_index.core; core = atexit._ncallbacks();"
        "import llama_index_vllm; assert atexit._ncallbacks() == core, 'atexit';"
        "found = {'openai', 'torch', 'vllm', 'transformers'} & sys.modules.keys(); assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
