"""The settings of a model, and the model object: serialised, pickled, copied, configured, closed."""

import asyncio
import copy
import pickle
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumpd, dumps, load
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_vllm import ChatVllm
from langchain_vllm.errors import ConfigurationError, StreamingDisabledError
from vllm_connect import StructuredOutputs, VllmClient

from tests.langchain.scripted import Answer, Scripted

KEY = "sk-canary-0123456789"
HEADER = "header-canary-0123456789"


def secretive(**fields: Any) -> ChatVllm:
    return ChatVllm(
        **{
            "base_url": "http://user:password-canary@gpu-1:8000/v1",
            "api_key": KEY,
            "headers": {"X-Token": HEADER},
            "proxy": "http://me:proxy-canary@proxy:3128",
            "model": "demo",
            **fields,
        }
    )


def assert_no_secret(shown: object) -> None:
    for canary in (KEY, HEADER, "password-canary", "proxy-canary"):
        assert canary not in (shown.decode("latin-1") if isinstance(shown, bytes) else str(shown))


@pytest.mark.filterwarnings("ignore:The .* in beta", "ignore:The method `BaseChatModel.dict`")
def test_no_serialised_form_has_a_secret() -> None:
    model = secretive()
    for shown in (
        repr(model),
        str(model),
        model.model_dump(),
        model.model_dump_json(),
        model.asdict(),
        dumps(model),
        pickle.dumps(model),
        model._get_ls_params(),
        model._get_invocation_params(),
        model._get_llm_string(),
        model.lc_attributes,
        model.__getstate__(),
    ):
        assert_no_secret(shown)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_a_loaded_model_is_the_same() -> None:
    model = ChatVllm(
        base_url="http://gpu-1:8000",
        model="demo",
        timeout={"connect": 1, "total": None, "first_token": None},
        structured_outputs=StructuredOutputs(choice=["a", "b"]),
        extra_body={"deep": {"a": 1}},
        top_k=5,
        reasoning_parser=None,
        stop=["x"],
    )
    assert model.extra_body is not None
    loaded = load(
        dumpd(model),
        valid_namespaces=["langchain_vllm"],
        allowed_objects=[ChatVllm],
        secrets_map={"VLLM_EXTRA_BODY": model.extra_body},  # type: ignore[dict-item]  # which is a dict
    )
    assert loaded == model
    assert loaded.asdict() == model.asdict()


def test_a_pickled_model_reads_the_key_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = secretive(top_k=5)
    assert isinstance(model.client, VllmClient)
    data = pickle.dumps(model)
    monkeypatch.setenv("VLLM_API_KEY", "another")
    again = pickle.loads(data)  # noqa: S301 - our own bytes
    assert again.api_key.get_secret_value() == "another"
    assert (again.top_k, again.base_url) == (5, "http://gpu-1:8000")
    assert again.headers == {}


def test_a_copy_keeps_the_key_and_the_http_client() -> None:
    script = Scripted([Answer("Hi")])
    model = script.model(api_key=KEY)
    model.invoke("Hi")
    again = copy.deepcopy(model)
    assert again.http_client is model.http_client
    assert again.client is not model.client
    assert again.invoke("Hi").text == "Hi"
    assert script.headers[-1]["authorization"] == f"Bearer {KEY}"


def test_a_configurable_base_url_is_used() -> None:
    script = Scripted([Answer("Hi")])
    model = script.model().configurable_fields(base_url=ConfigurableField(id="server"))
    model.invoke("Hi")
    model.invoke("Hi", {"configurable": {"server": "http://127.0.0.2:8000/v1"}})
    model.invoke("Hi")
    assert [httpx.URL(url).host for url in script.urls] == ["127.0.0.1", "127.0.0.2", "127.0.0.1"]


def test_a_changed_base_url_is_used() -> None:
    script = Scripted([Answer("Hi")])
    model = script.model()
    model.invoke("Hi")
    model.base_url = "http://127.0.0.2:8000"
    model.invoke("Hi")
    model.model_copy(update={"base_url": "http://127.0.0.3:8000"}).invoke("Hi")
    model.invoke("Hi")
    assert [httpx.URL(url).host[-1] for url in script.urls] == ["1", "2", "3", "2"]


def test_a_copy_shares_the_clients_until_a_setting_differs() -> None:
    model = Scripted([Answer("Hi")]).model()
    client = model.client
    same = model.model_copy()
    warmer = model.model_copy(update={"temperature": 1})
    other = model.model_copy(update={"base_url": "http://127.0.0.2:8000"})
    assert same.client is warmer.client is client
    assert other.client is not client
    assert (model.client, other.client) == (client, other.client)
    same.base_url = "http://127.0.0.3:8000"
    assert (model.client is client, same.client is client) == (True, False)


async def test_a_call_can_have_its_own_base_url() -> None:
    script = Scripted([Answer("Hi")])
    model = script.model(headers={"X-A": "1"})
    model.invoke("Hi", base_url="http://127.0.0.2:8000/v1", headers={"X-B": "2"})
    await model.ainvoke("Hi", base_url="http://127.0.0.3:8000")
    [chunk async for chunk in model.astream("Hi", api_key=KEY)]
    list(model.stream("Hi"))
    assert [httpx.URL(url).host[-1] for url in script.urls] == ["2", "3", "1", "1"]
    assert script.headers[0]["x-b"] == "2"
    assert script.headers[2]["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in script.headers[3]


def test_different_settings_have_different_cache_keys() -> None:
    models = [
        ChatVllm(),
        ChatVllm(model="a"),
        ChatVllm(temperature=0),
        ChatVllm(base_url="http://gpu-1:8000"),
        ChatVllm(extra_body={"a": 1}),
        ChatVllm(chat_template_kwargs={"a": 1}),
        ChatVllm(structured_outputs=StructuredOutputs(choice=["a"])),
        ChatVllm(tool_parser="hermes"),
        ChatVllm(reasoning_parser=None),
        ChatVllm(reasoning_replay="all"),
        ChatVllm(output_version="v1"),
    ]
    assert len({model._get_llm_string() for model in models}) == len(models)
    assert ChatVllm(api_key="a")._get_llm_string() == ChatVllm(api_key="b")._get_llm_string()


def test_a_cached_answer_is_returned_again() -> None:
    script = Scripted([Answer("one", calls=[("f", "{")], finish="length"), Answer("two")])
    model = script.model(cache=InMemoryCache())
    first, again = model.invoke("Hi"), model.invoke("Hi")
    assert again.text == "one"
    assert again.invalid_tool_calls == first.invalid_tool_calls
    assert model.invoke("Hi", top_k=1).text == "two"


def test_two_event_loops_can_follow_each_other() -> None:
    model = Scripted([Answer("Hi")]).model()
    for _ in range(2):
        assert asyncio.run(model.ainvoke("Hi")).text == "Hi"


async def test_a_closed_model_can_be_used_again() -> None:
    script = Scripted([Answer("Hi")])
    with script.model() as model:
        model.invoke("Hi")
    assert not model.http_client.is_closed
    async with model:
        await model.ainvoke("Hi")
    assert not model.http_async_client.is_closed
    assert model.invoke("Hi").text == "Hi"


def test_a_client_of_the_caller_is_used() -> None:
    client = VllmClient(ChatVllm(), http_client=httpx.Client(transport=httpx.MockTransport(Scripted([Answer("Hi")]))))
    model = ChatVllm(client=client)
    assert model.client is client
    assert model.invoke("Hi").text == "Hi"
    assert copy.deepcopy(model).client is client


@pytest.mark.parametrize(
    ("wrong", "right"), [("temprature", "temperature"), ("base_ur", "base_url"), ("max_token", "max_tokens")]
)
def test_a_misspelt_argument_is_refused(wrong: str, right: str) -> None:
    with pytest.raises(ConfigurationError, match=f"unknown argument '{wrong}'; did you mean '{right}'"):
        ChatVllm(**{wrong: 1})
    script = Scripted([Answer("Hi")])
    model: Any = script.model()
    for call in (
        lambda: model.invoke("Hi", **{wrong: 1}),
        lambda: list(model.stream("Hi", **{wrong: 1})),
        lambda: model.bind(**{wrong: 1}).invoke("Hi"),
        lambda: model.bind_tools([], **{wrong: 1}),
        lambda: model.with_structured_output({"title": "A", "type": "object"}, **{wrong: 1}),
    ):
        with pytest.raises(ConfigurationError, match=f"did you mean '{right}'"):
            call()
    assert script.asked == []


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": "gpu-1:8000"},
        {"api_key": f"{KEY}\nx"},
        {"timeout": 0},
        {"max_retries": -1},
        {"temperature": -1},
        {"n": 0},
        {"context_window": 0},
        {"reasoning_replay": "some"},
    ],
)
def test_a_wrong_setting_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ChatVllm(**fields)
    assert_no_secret(caught.value)
    assert caught.value.__context__ is None or KEY not in str(caught.value.__context__)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"stop": ["1", "2", "3", "4", "5"]}, "5 strings"),
        ({"stream_options": {"include_usage": True}}, "needs a stream"),
        ({"tool_choice": "any"}, "needs tools"),
        ({"temperature": -1}, "greater than or equal"),
        ({"tools": [{"no": "tool"}]}, "cannot be converted"),
        ({"response_format": 5}, "schema"),
    ],
)
async def test_a_wrong_call_is_refused_before_anything_is_sent(given: dict[str, Any], problem: str) -> None:
    script = Scripted([Answer("Hi")])
    with pytest.raises(ConfigurationError, match=problem):
        script.model().invoke("Hi", **given)
    with pytest.raises(ConfigurationError, match=problem):
        await script.model().ainvoke("Hi", **given)
    with pytest.raises(ConfigurationError, match="messages is empty"):
        script.model().invoke([])
    assert script.asked == []


async def test_streaming_can_be_disabled() -> None:
    script = Scripted([Answer("Hi")])
    model = script.model(streaming_allowed=False)
    with pytest.raises(StreamingDisabledError):
        list(model.stream("Hi"))
    with pytest.raises(StreamingDisabledError):
        [chunk async for chunk in model.astream("Hi")]
    with pytest.raises(StreamingDisabledError):
        print(model.stream_events("Hi", version="v3").output)
    assert script.asked == []
    assert model.invoke("Hi").text == "Hi"
    watched = RunnableLambda(model.invoke).astream_events("Hi", version="v2")
    assert [event["data"]["output"].text async for event in watched if event["event"] == "on_chat_model_end"] == ["Hi"]


def test_a_call_overrides_the_model() -> None:
    script = Scripted([Answer("Hi")])
    model = script.model(
        temperature=0.5,
        top_k=5,
        stop=["a"],
        chat_template_kwargs={"a": 1, "b": {"c": 1}},
        extra_body={"x": {"y": 1}},
    )
    given: dict[str, Any] = {
        "temperature": None,
        "top_k": 7,
        "chat_template_kwargs": {"b": {"d": 2}},
        "extra_body": {"x": {"z": 2}},
        "model": "other",
        "seed": 3,
    }
    model.invoke("Hi", stop=["b"], **given)
    (body,) = script.asked
    assert "temperature" not in body
    assert (body["top_k"], body["stop"], body["model"], body["seed"]) == (7, ["b"], "other", 3)
    assert body["chat_template_kwargs"] == {"a": 1, "b": {"c": 1, "d": 2}}
    assert body["x"] == {"y": 1, "z": 2}


def test_a_field_that_is_not_set_is_not_sent() -> None:
    script = Scripted([Answer("Hi")])
    script.model().invoke("Hi")
    list(script.model().stream("Hi"))
    message = {"role": "user", "content": "Hi"}
    assert script.asked == [
        {"model": "demo", "messages": [message]},
        {"model": "demo", "messages": [message], "stream": True, "stream_options": {"include_usage": True}},
    ]


def test_langchain_s_standard_aliases_work() -> None:
    model = ChatVllm(model_name="demo", stop_sequences=["x"])
    assert (model.model, model.stop) == ("demo", ["x"])
