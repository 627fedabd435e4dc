"""Messages are converted to wire messages, and answers to messages."""

from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_vllm.errors import ConfigurationError
from langchain_vllm.messages import to_wire
from vllm_connect.adapters import ReasoningReplay

from tests.langchain.scripted import Answer, Scripted

ADD = tool_call(name="add", args={"a": 1, "b": "ä"}, id="call_1")
WIRE_ADD = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": "ä"}'}}
V1_BLOCKS: list[Any] = [{"type": "reasoning", "reasoning": "why"}, {"type": "text", "text": "x"}, ADD]


def wire(message: BaseMessage) -> dict[str, Any]:
    return to_wire([message])[0]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (SystemMessage("Be brief."), {"role": "system", "content": "Be brief."}),
        (HumanMessage("Hi", name="ann"), {"role": "user", "content": "Hi", "name": "ann"}),
        (AIMessage("Hi", name="bot"), {"role": "assistant", "content": "Hi", "name": "bot"}),
        (ToolMessage("3", tool_call_id="call_1"), {"role": "tool", "content": "3", "tool_call_id": "call_1"}),
        (
            ToolMessage("no", tool_call_id="call_1", status="error"),
            {"role": "tool", "content": "no", "tool_call_id": "call_1"},
        ),
        (FunctionMessage(content="3", name="add"), {"role": "tool", "content": "3", "tool_call_id": "add"}),
        (ChatMessage(content="Hi", role="observer"), {"role": "observer", "content": "Hi"}),
        (convert_to_messages([("developer", "Be brief.")])[0], {"role": "developer", "content": "Be brief."}),
        (HumanMessage([]), {"role": "user", "content": ""}),
        (HumanMessage(["a", {"type": "text", "text": "b"}]), {"role": "user", "content": "a\nb"}),
        (AIMessage([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), {"role": "assistant", "content": "ab"}),
        (AIMessage("", tool_calls=[ADD]), {"role": "assistant", "content": "", "tool_calls": [WIRE_ADD]}),
        (
            AIMessage([{"type": "text", "text": "x"}, {"type": "tool_use", "id": "call_1", "name": "add", "input": {}}], tool_calls=[ADD]),
            {"role": "assistant", "content": "x", "tool_calls": [WIRE_ADD]},
        ),
        (
            AIMessage(content_blocks=V1_BLOCKS),
            {"role": "assistant", "content": "x", "reasoning": "why", "tool_calls": [WIRE_ADD]},
        ),
        (
            AIMessage([{"type": "thinking", "thinking": "why", "signature": "s"}, {"type": "text", "text": "x"}]),
            {"role": "assistant", "content": "x", "reasoning": "why"},
        ),
        (
            AIMessage("x", additional_kwargs={"reasoning_content": "why"}),
            {"role": "assistant", "content": "x", "reasoning": "why"},
        ),
        (
            AIMessage([{"type": "reasoning", "reasoning": "why"}], additional_kwargs={"reasoning_content": "why"}),
            {"role": "assistant", "content": "", "reasoning": "why"},
        ),
        (AIMessage([{"type": "tool_call", **ADD}]), {"role": "assistant", "content": "", "tool_calls": [WIRE_ADD]}),
        (
            AIMessage([{"type": "tool_use", "id": "call_1", "name": "add", "input": ADD["args"]}]),
            {"role": "assistant", "content": "", "tool_calls": [WIRE_ADD]},
        ),
        (
            AIMessage([{"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a": 1, "b": "ä"}'}]),
            {"role": "assistant", "content": "", "tool_calls": [WIRE_ADD]},
        ),
    ],
)  # fmt: skip
def test_a_message_is_converted_to_a_wire_message(message: AnyMessage, expected: dict[str, Any]) -> None:
    assert wire(message) == expected


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def given(kind: str, value: Any) -> dict[str, Any]:
    return {"type": kind, kind: value}


PNG = "data:image/png;base64,QQ=="
ADDRESS = "http://x.org/a.png"
LOW = {"uuid": "u1", "detail": "low"}
OLDER_PNG = {"type": "image", "source_type": "base64", "data": "QQ==", "mime_type": "image/png"}
ANTHROPIC_PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="}}
WAV = {"data": "QQ==", "format": "wav"}
EMBEDS = given("image_embeds", "QQ==")


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image", "url": ADDRESS}, image(ADDRESS)),
        (given("image_url", ADDRESS), image(ADDRESS)),
        (image(ADDRESS, detail="low"), image(ADDRESS, detail="low")),
        ({"type": "image", "url": ADDRESS, "extras": LOW}, {**image(ADDRESS, detail="low"), "uuid": "u1"}),
        ({"type": "image", "base64": "QQ==", "mime_type": "image/png"}, image(PNG)),
        (OLDER_PNG, image(PNG)),
        (ANTHROPIC_PNG, image(PNG)),
        ({"type": "image", "source": {"type": "url", "url": ADDRESS}}, image(ADDRESS)),
        ({"type": "file", "base64": "QQ==", "mime_type": "image/png"}, image(PNG)),
        ({"type": "input_image", "image_url": ADDRESS, "detail": "low"}, image(ADDRESS, detail="low")),
        ({"type": "audio", "base64": "QQ==", "mime_type": "audio/wav"}, given("input_audio", WAV)),
        (
            {"type": "audio", "base64": "QQ==", "mime_type": "audio/mpeg"},
            given("input_audio", {**WAV, "format": "mp3"}),
        ),
        (given("input_audio", WAV), given("input_audio", WAV)),
        ({"type": "audio", "url": "http://x.org/a.wav"}, given("audio_url", {"url": "http://x.org/a.wav"})),
        ({"type": "video", "url": "http://x.org/a.mp4"}, given("video_url", {"url": "http://x.org/a.mp4"})),
        (
            {"type": "video", "base64": "QQ==", "mime_type": "video/webm"},
            given("video_url", {"url": "data:video/webm;base64,QQ=="}),
        ),
        (given("video_url", {"url": "http://x.org/a.mp4"}), given("video_url", {"url": "http://x.org/a.mp4"})),
        ({"type": "non_standard", "value": EMBEDS}, EMBEDS),
    ],
)
def test_a_content_block_is_converted_to_a_content_part(block: dict[str, Any], part: dict[str, Any]) -> None:
    script = Scripted([Answer("Hi")])
    script.model().invoke([HumanMessage([{"type": "text", "text": "Look:"}, block])])
    assert script.asked[0]["messages"][0]["content"] == [{"type": "text", "text": "Look:"}, part]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}, "x"),
        ({"type": "text-plain", "text": "x"}, "x"),
        ({"type": "text-plain", "base64": "w6Q=", "mime_type": "text/plain"}, "ä"),
        ({"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,w6Q="}}, "ä"),
        ({"text": "x"}, "x"),
        ({"type": "refusal", "refusal": "x"}, "x"),
        ({"type": "file", "base64": "w6Q=", "mime_type": "text/plain"}, "ä"),
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}, "x"),
    ],
)
def test_a_block_of_text_is_sent_as_a_string(block: dict[str, Any], text: str) -> None:
    assert wire(HumanMessage([block])) == {"role": "user", "content": text}


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (HumanMessage([{"type": "file", "base64": "QQ==", "mime_type": "application/pdf"}]), "application/pdf"),
        (HumanMessage([{"type": "image", "file_id": "f1"}]), "stores no files"),
        (HumanMessage([{"type": "file", "base64": "!", "mime_type": "text/plain"}]), "UTF-8"),
        (HumanMessage([{"type": "non_standard", "value": {}}]), "non_standard"),
        (HumanMessage([{"type": "text-plain", "url": "http://x.org/a.txt", "mime_type": "text/plain"}]), "downloaded"),
        (HumanMessage([{"type": "file", "url": "http://x.org/a.pdf", "mime_type": "application/pdf"}]), "downloaded"),
        (HumanMessage([{"type": "search_result", "title": "x"}]), "search_result"),
        (HumanMessage([{"type": "imgae", "url": "http://x.org/a.png"}]), "imgae"),
        (RemoveMessage(id="1"), "RemoveMessage"),
    ],
)
def test_a_message_or_block_that_cannot_be_sent_is_refused(message: BaseMessage, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        wire(message)


BROKEN = invalid_tool_call(name="add", args='{"a": ', id="call_9", error="cut")


def test_an_invalid_call_that_was_answered_is_sent_as_valid_json() -> None:
    said = to_wire([AIMessage("", invalid_tool_calls=[BROKEN]), ToolMessage("broken", tool_call_id="call_9")])
    (call,) = said[0]["tool_calls"]
    assert call == {
        "id": "call_9",
        "type": "function",
        "function": {"name": "add", "arguments": '{"invalid_arguments": "{\\"a\\": "}'},
    }


def test_an_invalid_call_that_was_not_answered_is_not_sent() -> None:
    assert wire(AIMessage("x", invalid_tool_calls=[BROKEN])) == {"role": "assistant", "content": "x"}
    shown = {"type": "tool_use", "id": "call_9", "name": "add", "input": {}}
    assert wire(AIMessage([shown, "x"], invalid_tool_calls=[BROKEN])) == {"role": "assistant", "content": "x"}


CONVERSATION = [
    HumanMessage("1"),
    AIMessage("2", additional_kwargs={"reasoning_content": "old"}),
    HumanMessage("3"),
    AIMessage("", tool_calls=[ADD], additional_kwargs={"reasoning_content": "new"}),
    ToolMessage("3", tool_call_id="call_1"),
]


@pytest.mark.parametrize(
    ("replay", "sent"), [("tool_loop", [None, "new"]), ("all", ["old", "new"]), ("none", [None, None])]
)
def test_reasoning_is_replayed_by_the_policy(replay: ReasoningReplay, sent: list[str | None]) -> None:
    said = [m.get("reasoning") for m in to_wire(CONVERSATION, replay=replay) if m["role"] == "assistant"]
    assert said == sent
    script = Scripted([Answer("Hi")])
    script.model(reasoning_replay=replay).invoke(CONVERSATION)
    script.model().invoke(CONVERSATION, reasoning_replay=replay)
    for body in script.asked:
        assert [m.get("reasoning") for m in body["messages"] if m["role"] == "assistant"] == sent


@pytest.mark.parametrize("version", ["v0", "v1", "v3"])
def test_an_answer_is_sent_back_unchanged(version: str) -> None:
    answer = Answer("Sure. ", "two of them", [("add", '{"a": 1, "b": "ä"}')], "tool_calls")
    script = Scripted([answer])
    model = script.model(output_version="v0" if version == "v3" else version)
    said = model.stream_events("Hi", version="v3").output if version == "v3" else model.invoke("Hi")
    model.invoke([HumanMessage("Hi"), said, ToolMessage("3", tool_call_id="call_0")])
    assert script.asked[1]["messages"][1] == {
        "role": "assistant",
        "content": "Sure. ",
        "reasoning": "two of them",
        "tool_calls": [{**WIRE_ADD, "id": "call_0"}],
    }


def test_messages_are_not_changed() -> None:
    message = AIMessage([{"type": "reasoning", "reasoning": "why"}, {"type": "text", "text": "x"}], tool_calls=[ADD])
    before = message.model_copy(deep=True)
    Scripted([Answer("Hi")]).model().invoke([message])
    assert message == before
