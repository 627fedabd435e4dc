"""Each argument of other clients works here, is translated with a warning, or is refused with advice."""

import warnings
from typing import Any

import httpx
import pytest
from langchain_vllm import ChatVllm
from llama_index_vllm import VllmLLM
from vllm_connect import AsyncVllmClient, ConfigurationError, VllmClient
from vllm_connect.adapters.foreign_names import ADVICE, DROPPED, RENAMED, SPREAD
from vllm_connect.config.config import argument_names
from vllm_connect.testing import LoopbackServer

from tests.matrix.foreign_names import LLAMAINDEX, NAMES, PAGE, model_for, table
from tests.matrix.peer_arguments import ARGUMENTS
from tests.matrix.settings import answer
from tests.pages import read_section

EACH = [(peer, name) for peer, names in ARGUMENTS.items() for name in names]
VALUES: dict[str, Any] = {
    **dict.fromkeys(("base_url", "api_base", "openai_api_base", "api_url"), "http://gpu:8000/v1"),
    **{name: {"X-A": "b"} for name in ("default_headers", "api_headers", "headers")},
    **{name: {"top_k": 3, "custom": 1} for name in SPREAD},
    **dict.fromkeys(
        ("streaming", "logprobs", "stream_usage", "is_chat_model", "strict", "json_mode", "thinking"), True
    ),
    **dict.fromkeys(("is_function_calling_model", "ignore_eos", "trust_remote_code", "reuse_client"), True),
    **dict.fromkeys(("model", "model_name", "api_key", "openai_api_key", "stop", "stop_sequences"), "x"),
    "async_client": AsyncVllmClient(),
    "client": VllmClient(),
    "extra_body": {"a": 1},
    "format": {"type": "object"},
    "http_async_client": httpx.AsyncClient(),
    "http_client": httpx.Client(),
    "logit_bias": {"1": 1},
    "openai_proxy": "http://proxy:3128",
    "reasoning": True,
    "reasoning_effort": "low",
}


@pytest.mark.parametrize(("peer", "name"), EACH)
def test_an_argument_works_is_translated_or_is_refused_with_advice(peer: str, name: str) -> None:
    model = model_for(peer)
    given: dict[str, Any] = {name: VALUES.get(name, 1)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if name in ADVICE and name not in argument_names(model):
            with pytest.raises(ConfigurationError, match=f"{name} is not an argument here: "):
                model(**given)
        else:
            model(**given)
    foreign = name not in argument_names(model) | {"client", "async_client"}
    told = [str(each.message) for each in caught if each.category is DeprecationWarning]
    assert len(told) == (foreign and name not in ADVICE)
    assert all(name in text for text in told)
    assert all(each.filename == __file__ for each in caught)


@pytest.mark.parametrize("name", sorted(RENAMED))
def test_a_translated_argument_has_the_value_of_its_counterpart(name: str) -> None:
    if name in argument_names(ChatVllm):
        assert name in ("model_name", "stop_sequences")  # names of LangChain itself
        return
    value = VALUES.get(name, 1)
    translated = RENAMED[name]
    with pytest.warns(DeprecationWarning, match=f"{name} is called {translated.name} here"):
        foreign = ChatVllm(**{name: value})
    ours: dict[str, Any] = {translated.name: translated.convert(value)}
    assert getattr(foreign, translated.name) == getattr(ChatVllm(**ours), translated.name)


@pytest.mark.filterwarnings("ignore:the entries of:DeprecationWarning")
def test_entries_of_a_mapping_are_arguments_or_go_into_the_body() -> None:
    for model in (
        ChatVllm(model_kwargs={"top_k": 3, "custom": 1}),
        VllmLLM(additional_kwargs={"top_k": 3, "custom": 1}),
    ):
        assert (model.top_k, model.extra_body) == (3, {"custom": 1})
    with pytest.raises(ConfigurationError, match="pass top_k only"):
        ChatVllm(top_k=1, model_kwargs={"top_k": 3})


def test_the_names_work_in_calls() -> None:
    with LoopbackServer(answer) as server:
        with pytest.warns(DeprecationWarning, match="max_new_tokens is called max_tokens here") as caught:
            ChatVllm(base_url=server.url).invoke("Hi", max_new_tokens=5)
        assert caught[0].filename == __file__
        with pytest.warns(DeprecationWarning, match="num_predict is called max_tokens here"):
            VllmLLM(base_url=server.url).complete("Hi", num_predict=5)
        assert [asked.body["max_tokens"] for asked in server.asked] == [5, 5]


def test_extra_headers_of_a_call_are_added_to_the_models() -> None:
    with LoopbackServer(answer) as server:
        ChatVllm(base_url=server.url, headers={"X-A": "1"}).invoke("Hi", extra_headers={"X-B": "2"})
        VllmLLM(base_url=server.url, headers={"X-A": "1"}).complete("Hi", extra_headers={"X-B": "2"})
        for asked in server.asked:
            assert (asked.headers["x-a"], asked.headers["x-b"]) == ("1", "2")


def test_every_name_is_in_one_table_alone() -> None:
    tables = (RENAMED.keys(), SPREAD, DROPPED.keys(), ADVICE.keys())
    assert len(set().union(*tables)) == sum(len(names) for names in tables)
    assert set(NAMES) >= {name for peer in LLAMAINDEX for name in ARGUMENTS[peer]}


def test_the_page_has_the_table() -> None:
    assert read_section(PAGE, "arguments") == table()
