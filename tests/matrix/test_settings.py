"""Every setting of the model and every argument of a call does the same in both frameworks."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import convert_to_messages
from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index_vllm import VllmLLM
from pydantic import BaseModel
from vllm_connect import ChatRequest, VllmConfig
from vllm_connect.adapters import AdapterModel
from vllm_connect.testing import Answer, LoopbackServer

from tests.matrix.settings import ARGUMENTS, BESIDE, SETTINGS, WAYS, Outcome, answer, outcome, value_of

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["complete", "stream"])


Same = Callable[..., Awaitable[Outcome]]
DEAD = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "MAX_RETRIES", "MODEL", "TEMPERATURE", "TIMEOUT"):
        monkeypatch.delenv(f"VLLM_{name}", raising=False)
    monkeypatch.setenv("VLLM_BASE_URL", DEAD)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(answer) as running:
        yield running


@pytest.fixture
def same(server: LoopbackServer) -> Same:
    """Return a function that calls every way, checks that the outcome is the same, and returns it."""

    async def call(settings: dict[str, Any], arguments: dict[str, Any], *, stream: bool) -> Outcome:
        first, *others = [await outcome(server, way, settings, arguments, stream=stream) for way in WAYS]
        for other in others:
            assert other == first
        assert first.sent or first.error
        return first

    return call


@both_ways
@pytest.mark.parametrize("name", SETTINGS)
async def test_a_setting_does_the_same_in_both_frameworks(name: str, stream: bool, same: Same) -> None:
    beside = BESIDE.get(name, {})
    of_model = await same({name: value_of(name)}, beside, stream=stream)
    if name in ARGUMENTS:
        of_call = await same({}, {**beside, name: value_of(name)}, stream=stream)
        assert of_call == of_model, "an argument of a call does not do what the setting does"


@both_ways
@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name not in SETTINGS])
async def test_an_argument_does_the_same_in_both_frameworks(name: str, stream: bool, same: Same) -> None:
    await same({}, {**BESIDE.get(name, {}), name: value_of(name)}, stream=stream)


@both_ways
@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name in SETTINGS])
async def test_none_removes_a_setting_for_one_call_in_both_frameworks(name: str, stream: bool, same: Same) -> None:
    nothing: Any = [] if name == "stop" else None  # for LangChain, stop=None is no argument
    await same({name: value_of(name)}, {**BESIDE.get(name, {}), name: nothing}, stream=stream)


@pytest.mark.parametrize("name", ["top_k", "seed", "reasoning", "extra_body", "structured_outputs", "reasoning_replay"])
async def test_the_body_shows_a_setting(name: str, same: Same) -> None:
    plain = await same({}, {}, stream=False)
    changed = await same({name: value_of(name)}, {}, stream=False)
    removed = await same({name: value_of(name)}, {name: None}, stream=False)
    assert plain.sent != changed.sent
    assert removed.sent == (changed if name == "reasoning_replay" else plain).sent


def test_every_field_is_tried() -> None:
    fields = {*VllmConfig.model_fields, *ChatRequest.model_fields, *AdapterModel.model_fields}
    assert fields - {*SETTINGS, *ARGUMENTS} == {"http_async_client", "http_client", "messages", "stream"}


@pytest.mark.parametrize(("text", "temperature"), [("1e-1", 0.1), ("0", 0), ("0.25", 0.25), (" 1 ", 1)])
async def test_the_temperature_of_the_environment_is_the_same(
    text: str, temperature: float, same: Same, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_TEMPERATURE", text)
    assert ChatVllm().temperature == VllmLLM().temperature == temperature
    ((_, body, _),) = (await same({}, {}, stream=False)).sent
    assert body["temperature"] == temperature


@pytest.mark.parametrize("text", ["warm", "-1", "nan", "inf"])
async def test_a_malformed_temperature_of_the_environment_is_the_same_error(
    text: str, same: Same, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_TEMPERATURE", text)
    error = (await same({}, {}, stream=False)).error
    assert error is not None
    assert error[0] == "ConfigurationError"
    assert "VLLM_TEMPERATURE" in error[1]


@pytest.mark.parametrize(("model", "role"), [("openai/gpt-oss-20b", "developer"), ("demo", "system")])
def test_a_developer_message_has_the_role_that_the_model_knows(model: str, role: str) -> None:
    with LoopbackServer(
        lambda _: Answer.json({"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]})
    ) as server:
        given: dict[str, Any] = {"base_url": server.url, "model": model, "check_constraints": False}
        with ChatVllm(**given) as chat_model, VllmLLM(**given) as llm:
            chat_model.invoke(convert_to_messages([("developer", "Be brief."), ("user", "Hi")]))
            llm.chat([ChatMessage("Be brief.", role="developer"), ChatMessage("Hi")])
    first, second = (asked.body["messages"] for asked in server.asked if asked.path == "/v1/chat/completions")
    assert first == second == [{"role": role, "content": "Be brief."}, {"role": "user", "content": "Hi"}]


LongName: type[BaseModel] = type("City" * 20, (BaseModel,), {"__annotations__": {"name": str}})


def test_a_long_schema_name_is_the_same() -> None:
    city = {"choices": [{"index": 0, "message": {"content": '{"name": "Oslo"}'}, "finish_reason": "stop"}]}
    with LoopbackServer(lambda _: Answer.json(city)) as server:
        given: dict[str, Any] = {"base_url": server.url, "model": "demo"}
        with ChatVllm(**given) as chat_model, VllmLLM(**given) as llm:
            chat_model.with_structured_output(LongName).invoke("Hi")
            llm.structured_predict(LongName, PromptTemplate("Hi"))
    names = [asked.body["response_format"]["json_schema"]["name"] for asked in server.asked if asked.method == "POST"]
    assert names == ["City" * 16] * 2
