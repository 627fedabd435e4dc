"""Constraints as structural tags, after an answer of whitespace or on a server that leaves the reasoning in the text."""

import json
from typing import Any

import pytest
from vllm_connect import BadRequestError, ChatRequest, ConstraintError
from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.constraint_tags import constraint_tag
from vllm_connect.parsing.reasoning import find_reasoning
from vllm_connect.protocol.server_info import ServerInfo

from tests.connect.chat.test_flow import CALL, FORM, SCHEMA, called, first_body, run, said, start

BLANK = said("{" + "\n  " * 20, "length")
REASONED = said('<think>\nHm.\n</think>\n\n{"n": 1}')

JSON = {"type": "json_schema", "json_schema": SCHEMA, "max_whitespace_cnt": 16}
OBJECT = {**JSON, "json_schema": {"type": "object"}}


def known() -> ServerCapabilities:
    return ServerCapabilities(info=ServerInfo())


def tag_of(body: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(body["structured_outputs"]["structural_tag"])["format"])


def json_start(capabilities: ServerCapabilities, **fields: Any) -> Any:
    return start(capabilities, tools=None, **{**FORM, **fields})


def test_whitespace_in_place_of_json_is_requested_again_with_room_for_reasoning_and_remembered() -> None:
    capabilities = known()
    answer, asked = run(json_start(capabilities), BLANK, REASONED)
    assert (answer.reasoning, answer.text) == ("Hm.", '{"n": 1}')
    assert "wrote whitespace" in answer.metadata["retry_reason"]
    assert "response_format" in asked[0][1]
    assert "response_format" not in asked[1][1]
    alone, after_reasoning = (form["elements"] for form in tag_of(asked[1][1])["elements"])
    assert alone == [JSON]
    assert after_reasoning[1:] == alone
    assert (after_reasoning[0]["begin"], after_reasoning[0]["end"]) == ("<think>", "</think>\n\n")
    answer, asked = run(json_start(capabilities), said('{"n": 2}'))
    assert (answer.text, "structural_tag" in asked[0][1]["structured_outputs"]) == ('{"n": 2}', True)


@pytest.mark.parametrize("first", [said('{"n": 1', "length"), said(" ", "length"), said("Hello." + " " * 20)])
def test_any_other_answer_is_not_requested_again(first: tuple[int, Any]) -> None:
    with pytest.raises(ConstraintError):
        run(json_start(known()), first)


@pytest.mark.parametrize("fields", [{"reasoning": False}, {"reasoning_parser": None}])
def test_without_reasoning_the_whitespace_alone_is_bounded(fields: dict[str, Any]) -> None:
    answer, asked = run(json_start(known(), **fields), BLANK, said('{"n": 1}'))
    assert answer.text == '{"n": 1}'
    assert tag_of(asked[1][1]) == {"type": "sequence", "elements": [JSON]}


def test_whitespace_after_reasoning_that_the_server_split_off_is_bounded() -> None:
    blank = said('{"n": 1' + " " * 20, "length", reasoning="Hm.")
    answer, asked = run(json_start(known()), blank, said('{"n": 1}', reasoning="Hm."))
    assert (answer.text, len(asked)) == ('{"n": 1}', 2)


def test_the_server_alone_is_asked_once() -> None:
    with pytest.raises(ConstraintError, match="whitespace"):
        run(json_start(known(), tool_parser="server"), BLANK)


def test_reasoning_in_the_text_of_any_answer_is_remembered() -> None:
    capabilities = known()
    run(start(capabilities, tools=None), said("<think>Hm.</think>Hello."))
    _, asked = run(json_start(capabilities), REASONED)
    assert len(tag_of(asked[0][1])["elements"]) == 2
    _, asked = run(json_start(capabilities, reasoning=False), said('{"n": 1}'))
    assert tag_of(asked[0][1])["elements"] == [JSON]
    assert first_body(start(capabilities, tool_choice="f"))["tool_choice"] != "none"


def test_a_stream_teaches_the_next_call() -> None:
    capabilities = known()
    chunk = {"choices": [{"index": 0, "delta": {"content": " " * 20}, "finish_reason": "length"}]}
    events = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    with pytest.raises(ConstraintError, match="whitespace"):
        run(json_start(capabilities, stream=True), (200, events))
    _, asked = run(json_start(capabilities), REASONED)
    assert "structural_tag" in asked[0][1]["structured_outputs"]


def test_a_server_that_refuses_structural_tags_gets_the_schema() -> None:
    refused = (400, {"error": {"message": "structural tags are not supported"}})
    capabilities = known()
    answer, asked = run(json_start(capabilities), BLANK, refused, said('{"n": 1}'))
    assert (answer.text, "response_format" in asked[2][1]) == ('{"n": 1}', True)
    with pytest.raises(BadRequestError):
        run(json_start(capabilities), refused)


def test_a_forced_call_that_never_came_is_forced_in_the_models_own_format_and_remembered() -> None:
    capabilities = known()
    answer, asked = run(
        start(capabilities, tool_choice="required"), said("", "length"), said(f"<think>Hm.</think>{CALL}")
    )
    assert (called(answer), answer.reasoning) == ([("f", {"x": 1})], "Hm.")
    assert [body["tool_choice"] for _, body in asked] == ["required", "none"]
    _, asked = run(start(capabilities, tool_choice="f"), said(CALL))
    assert "structural_tag" in asked[0][1]["structured_outputs"]
    _, asked = run(start(capabilities), said(CALL))
    assert "tool_choice" not in asked[0][1]


def test_whitespace_in_a_forced_call_is_bounded_and_the_reasoning_left_to_the_server_that_splits_it_off() -> None:
    capabilities = known()
    blank = said('<tool_call>\n{"name": "f", "arguments": {"x": ' + "\n " * 20, "length", reasoning="Hm.")
    answer, asked = run(start(capabilities, tool_choice="f"), blank, said(CALL, reasoning="Hm."))
    assert (called(answer), answer.reasoning) == ([("f", {"x": 1})], "Hm.")
    assert [element["type"] for element in tag_of(asked[1][1])["elements"]] == ["tags_with_separator"]
    _, asked = run(json_start(capabilities), said('{"n": 1}', reasoning="Hm."))
    assert tag_of(asked[0][1])["elements"] == [JSON]


def test_a_forced_call_is_not_left_to_a_parser_that_left_a_call_in_the_text() -> None:
    capabilities = known()
    answer, _ = run(start(capabilities), said(CALL))
    assert answer.metadata["tool_calls_via"] == "recovered:auto"
    answer, asked = run(start(capabilities, tool_choice="required"), said(CALL))
    assert (called(answer), answer.metadata["tool_calls_via"]) == ([("f", {"x": 1})], "forced")
    assert "structural_tag" in asked[0][1]["structured_outputs"]


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        (FORM, JSON),
        ({"response_format": {"type": "json_object"}}, OBJECT),
        ({"structured_outputs": {"json": SCHEMA}}, JSON),
        ({"structured_outputs": {"json": json.dumps(SCHEMA)}}, JSON),
        ({"structured_outputs": {"json_object": True}}, OBJECT),
        ({"structured_outputs": {"regex": "x+"}}, {"type": "regex", "pattern": "x+"}),
        (
            {"structured_outputs": {"choice": ["x"]}},
            {"type": "or", "elements": [{"type": "const_string", "value": "x"}]},
        ),
    ],
)
def test_every_constraint_has_a_tag(fields: dict[str, Any], content: dict[str, Any]) -> None:
    (reasoning,) = find_reasoning("qwen3")
    tag = constraint_tag(ChatRequest(messages=[], **fields), reasoning, starts_in_reasoning=True)
    assert tag is not None
    before, answer = json.loads(tag)["format"]["elements"]
    assert (before["begin"], answer) == ("", content)
    alone = constraint_tag(ChatRequest(messages=[], **fields), None, starts_in_reasoning=True)
    assert json.loads(alone or "")["format"]["elements"] == [content]


@pytest.mark.parametrize(
    "fields", [{}, {"structured_outputs": {"grammar": "x"}}, {"response_format": {"type": "text"}}]
)
def test_anything_else_has_none(fields: dict[str, Any]) -> None:
    (reasoning,) = find_reasoning("qwen3")
    assert constraint_tag(ChatRequest(messages=[], **fields), reasoning, starts_in_reasoning=False) is None


def test_a_forced_call_after_reasoning_that_used_up_the_tokens_is_not_requested_again() -> None:
    with pytest.raises(ConstraintError, match="truncated"):
        run(start(known(), tool_choice="required"), said("", "length", reasoning="Hm."))


def test_reasoning_that_a_tag_allows_after_the_servers_is_not_text() -> None:
    again = said(f"<think>Again.</think>{CALL}", reasoning="Hm.")
    answer, _ = run(start(known(), tool_parser="hermes", tool_choice="f"), again)
    assert (called(answer), answer.text, answer.reasoning) == ([("f", {"x": 1})], "", "Hm.Again.")
    capabilities = known()
    capabilities.of("m").needs_constraint_tags = True
    answer, _ = run(json_start(capabilities), said('<think>Again.</think>{"n": 1}', reasoning="Hm."))
    assert (answer.text, answer.reasoning) == ('{"n": 1}', "Hm.Again.")
