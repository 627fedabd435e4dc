"""The arguments of one call are checked, separated and laid over the model's."""

from typing import Any

import pytest
from vllm_connect import ConfigurationError, RequestFields, VllmConfig
from vllm_connect.adapters import CALL_ARGUMENTS, AdapterModel, call_settings

MODEL = AdapterModel(
    base_url="http://gpu:8000", model="demo", top_k=5, extra_body={"a": {"b": 1}}, headers={"X-A": "1"}
)
OF_MODEL = {"model": "demo", "top_k": 5, "extra_body": {"a": {"b": 1}}}


@pytest.mark.parametrize(
    ("given", "fields", "connection", "replay"),
    [
        ({}, OF_MODEL, {}, "tool_loop"),
        ({"top_k": 7, "seed": 1}, {**OF_MODEL, "top_k": 7, "seed": 1}, {}, "tool_loop"),
        ({"top_k": None}, {**OF_MODEL, "top_k": None}, {}, "tool_loop"),
        ({"extra_body": {"a": {"c": 2}}}, {**OF_MODEL, "extra_body": {"a": {"b": 1, "c": 2}}}, {}, "tool_loop"),
        ({"timeout": 3, "max_retries": 0}, OF_MODEL, {"timeout": 3, "max_retries": 0}, "tool_loop"),
        ({"reasoning_replay": "all"}, OF_MODEL, {}, "all"),
        ({"reasoning_replay": None}, OF_MODEL, {}, "tool_loop"),
        ({"tools": ["a tool"]}, {**OF_MODEL, "tools": ["a tool"]}, {}, "tool_loop"),
    ],
)
def test_arguments_are_separated(
    given: dict[str, Any], fields: dict[str, Any], connection: dict[str, Any], replay: str
) -> None:
    before = dict(given)
    settings = call_settings(MODEL, given)
    assert (settings.fields, settings.connection, settings.reasoning_replay) == (fields, connection, replay)
    assert given == before
    settings.fields["top_k"] = 99
    assert call_settings(MODEL, {}).fields == OF_MODEL


@pytest.mark.parametrize(
    ("name", "meant"),
    [("temprature", "temperature"), ("max_retry", "max_retries"), ("reasoning_repla", "reasoning_replay")],
)
def test_an_unknown_argument_is_refused(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"unknown argument '{name}'; did you mean '{meant}'"):
        call_settings(MODEL, {name: 1})


def test_every_field_and_every_setting_is_an_argument() -> None:
    assert {*RequestFields.model_fields, *VllmConfig.model_fields} <= CALL_ARGUMENTS
    assert {"tools", "tool_choice", "reasoning_replay"} <= CALL_ARGUMENTS
    assert not {"messages", "stream", "http_client"} & CALL_ARGUMENTS


@pytest.mark.filterwarnings("ignore:guided_choice:DeprecationWarning")
def test_a_name_of_older_servers_is_translated() -> None:
    assert call_settings(MODEL, {"guided_choice": ["a"]}).fields["structured_outputs"] == {"choice": ["a"]}
