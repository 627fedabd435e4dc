"""The body of a request."""

from typing import Any

import pytest
from vllm_connect import ChatRequest, ConfigurationError, StructuredOutputs
from vllm_connect.request.merge import merge
from vllm_connect.request.overrides import override_fields
from vllm_connect.request.tool_choice import resolve_tool_choice

USER = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def body(version: tuple[int, int, int] | None = None, /, **fields: Any) -> dict[str, Any]:
    return ChatRequest(messages=fields.pop("messages", USER), **fields).body(version)


def test_only_what_was_set_is_sent() -> None:
    assert body() == {"messages": USER}
    assert body(temperature=0.0, top_k=5) == {"messages": USER, "temperature": 0.0, "top_k": 5}


def test_a_stream_asks_for_usage() -> None:
    assert body(stream=True)["stream_options"] == {"include_usage": True}
    assert body(stream=True, stream_options={"include_usage": False})["stream_options"] == {"include_usage": False}


def test_empty_tools_are_no_tools() -> None:
    assert "tools" not in body(tools=[])
    assert "tool_choice" not in body(tools=[], tool_choice="auto")


def test_extras_are_merged_last_and_deeply() -> None:
    sent = body(top_k=1, chat_template_kwargs={"a": 1}, extra_body={"top_k": 2, "chat_template_kwargs": {"b": 2}})
    assert sent["top_k"] == 2
    assert sent["chat_template_kwargs"] == {"a": 1, "b": 2}
    assert "extra_body" not in sent


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        (False, "none"),
        ("required", "required"),
        ("any", "required"),
        (True, "required"),
        ("f", {"type": "function", "function": {"name": "f"}}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_tool_choices(choice: Any, sent: Any) -> None:
    assert body(tools=[TOOL], tool_choice=choice)["tool_choice"] == sent


@pytest.mark.parametrize("choice", ["g", {"type": "function", "function": {"name": "g"}}, {"x": 1}])
def test_a_choice_of_no_bound_tool_is_refused(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="the tools are f"):
        resolve_tool_choice(choice, [TOOL])


@pytest.mark.parametrize("choice", ["required", "any", True, "f"])
def test_a_choice_without_tools_is_refused(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="needs tools"):
        body(tool_choice=choice)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"messages": []}, "messages is empty"),
        ({"stop": ["a"] * 5}, "stop has 5 strings"),
        ({"stream_options": {"include_usage": True}}, "needs a stream"),
        ({"top_logprobs": 2}, "need logprobs"),
        ({"prompt_logprobs": 1, "stream": True}, "not available in a stream"),
        ({"continue_final_message": True, "add_generation_prompt": True}, "exclude each other"),
    ],
)
def test_what_no_server_accepts_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        body(**fields)


def test_continuing_a_message_opens_no_turn() -> None:
    assert body(continue_final_message=True)["add_generation_prompt"] is False


@pytest.mark.parametrize(
    ("version", "sent"),
    [
        ((0, 10, 2), {"guided_choice": ["a"]}),
        ((0, 11, 0), {"structured_outputs": {"choice": ["a"]}}),
        ((0, 32, 0), {"structured_outputs": {"choice": ["a"]}}),
        (None, {"structured_outputs": {"choice": ["a"]}}),
    ],
)
def test_constraints_by_version(version: tuple[int, int, int] | None, sent: dict[str, Any]) -> None:
    assert body(version, structured_outputs=StructuredOutputs(choice=["a"])) == {"messages": USER, **sent}


def test_a_schema_is_named_json_on_the_wire() -> None:
    constraint = StructuredOutputs.model_validate({"json": {"type": "object"}, "disable_any_whitespace": True})
    sent = {"json": {"type": "object"}, "disable_any_whitespace": True}
    assert body(structured_outputs=constraint)["structured_outputs"] == sent
    assert body((0, 10, 0), structured_outputs=constraint)["guided_json"] == {"type": "object"}


def test_a_constraint_has_one_kind() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        StructuredOutputs(regex="a", choice=["a"])


def test_reasoning_goes_back_in_the_name_the_server_knows() -> None:
    said = [{"role": "assistant", "content": "x", "reasoning": "because"}]
    assert body((0, 11, 0), messages=said)["messages"][0]["reasoning_content"] == "because"
    assert body((0, 12, 0), messages=said)["messages"][0]["reasoning"] == "because"


@pytest.mark.parametrize("on", [True, False])
def test_reasoning_is_switched_through_the_template(on: bool) -> None:
    assert body(reasoning=on)["chat_template_kwargs"] == {"enable_thinking": on, "thinking": on}
    assert body(reasoning=on, chat_template_kwargs={"thinking": 1})["chat_template_kwargs"]["thinking"] == 1


def test_an_effort_is_sent() -> None:
    assert body(reasoning="high")["reasoning_effort"] == "high"
    assert body(reasoning="none")["chat_template_kwargs"]["enable_thinking"] is False


def test_a_call_overrides_the_model() -> None:
    model = {"temperature": 1.0, "top_k": 3, "extra_body": {"a": {"b": 1}}}
    call = {"temperature": None, "extra_body": {"a": {"c": 2}}}
    assert override_fields(model, call) == {"temperature": None, "top_k": 3, "extra_body": {"a": {"b": 1, "c": 2}}}
    assert merge({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


@pytest.mark.parametrize("stop", ["END", ["END", "STOP"]])
def test_stop_strings_are_sent_unless_there_are_none(stop: str | list[str]) -> None:
    assert body(stop=stop)["stop"] == stop
    assert "stop" not in body(stop=[])


@pytest.mark.parametrize("given", [{}, {"regex": "x", "choice": ["x"]}, {"disable_any_whitespace": True}])
def test_several_kinds_of_constraints_or_none_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        StructuredOutputs.model_validate(given)


def test_a_constraint_is_sent_in_keywords_that_the_server_supports() -> None:
    given, sent = {"type": "integer", "multipleOf": 2}, {"type": "integer"}
    assert body(structured_outputs={"json": given})["structured_outputs"] == {"json": sent}
    named = body(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": given}})
    assert named["response_format"] == {"type": "json_schema", "json_schema": {"name": "a", "schema": sent}}
