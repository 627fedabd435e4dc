"""The wire message of each message, and the content of each block."""

import base64
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index_vllm.content_parts import to_content
from llama_index_vllm.messages import to_wire
from vllm_connect import ConfigurationError
from vllm_connect.adapters import ReasoningReplay

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
B64 = base64.b64encode(PNG).decode()


def wire(*messages: ChatMessage, **options: Any) -> list[dict[str, Any]]:
    return to_wire(messages, **options)


@pytest.mark.parametrize(
    ("role", "sent"),
    [
        (MessageRole.SYSTEM, "system"),
        (MessageRole.DEVELOPER, "developer"),
        (MessageRole.USER, "user"),
        (MessageRole.ASSISTANT, "assistant"),
        (MessageRole.CHATBOT, "assistant"),
        (MessageRole.MODEL, "assistant"),
    ],
)
def test_a_role_is_converted(role: MessageRole, sent: str) -> None:
    assert wire(ChatMessage(role=role, content="Hi")) == [{"role": sent, "content": "Hi"}]


@pytest.mark.parametrize("role", [MessageRole.TOOL, MessageRole.FUNCTION])
def test_a_tool_result_has_the_id_of_its_call(role: MessageRole) -> None:
    message = ChatMessage(role=role, content="4", additional_kwargs={"tool_call_id": "call_1"})
    assert wire(message) == [{"role": "tool", "content": "4", "tool_call_id": "call_1"}]


def test_only_a_tool_result_has_an_id() -> None:
    direct = ChatMessage(role="assistant", content="4", additional_kwargs={"tool_call_id": "call_1"})
    assert wire(direct) == [{"role": "assistant", "content": "4"}]


@pytest.mark.parametrize(
    ("blocks", "content"),
    [
        ([], None),
        ([TextBlock(text="")], ""),
        ([TextBlock(text="a"), TextBlock(text="b")], "a\nb"),
        ([TextBlock(text="a"), CachePoint(cache_control=CacheControl(type="ephemeral"))], "a"),
        ([CitableBlock(title="t", source="s", content=[TextBlock(text="a")])], "a"),
        (
            [CitationBlock(cited_content=TextBlock(text="a"), source="s", title="t", additional_location_info={})],
            "a",
        ),
        ([DocumentBlock(data=b"a text", document_mimetype="text/plain")], "a text"),
        ([DocumentBlock(data=b"# a", title="a.md")], "# a"),
    ],
)
def test_text_is_sent_as_a_string(blocks: list[ContentBlock], content: str | None) -> None:
    assert to_content(blocks) == content


def test_media_are_sent_as_parts() -> None:
    blocks: list[ContentBlock] = [
        TextBlock(text="What is this?"),
        ImageBlock(url="https://example.org/a.png", detail="low"),
        ImageBlock(image=PNG),
        VideoBlock(url="https://example.org/a.mp4"),
        VideoBlock(video=b"\x00\x01\x02", video_mimetype="video/mp4"),
        AudioBlock(url="https://example.org/a.wav"),
        AudioBlock(audio=b"\x00\x01\x02", format="mp3"),
        AudioBlock(audio=b"\x00\x01\x02"),
    ]
    data = base64.b64encode(b"\x00\x01\x02").decode()
    assert to_content(blocks) == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{B64}"}},
        {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
        {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}},
        {"type": "audio_url", "audio_url": {"url": "https://example.org/a.wav"}},
        {"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}},
        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
    ]


def test_media_are_read_from_files(tmp_path: Path) -> None:
    image, sound, note, unknown = (tmp_path / name for name in ("a.webp", "a.flac", "a.txt", "a.bin"))
    for path in (image, sound, unknown):
        path.write_bytes(PNG)
    note.write_text("grüß", encoding="utf-8")
    assert to_content([ImageBlock(path=image), ImageBlock(path=unknown), AudioBlock(path=sound)]) == [
        {"type": "image_url", "image_url": {"url": f"data:image/webp;base64,{B64}"}},
        {"type": "image_url", "image_url": {"url": f"data:application/octet-stream;base64,{B64}"}},
        {"type": "input_audio", "input_audio": {"data": B64, "format": "flac"}},
    ]
    assert to_content([DocumentBlock(path=note)]) == "grüß"


def test_a_data_url_is_sent_unchanged() -> None:
    url = f"data:image/png;base64,{B64}"
    assert to_content([ImageBlock(url=url)]) == [{"type": "image_url", "image_url": {"url": url}}]


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        (DocumentBlock(data=b"%PDF-1.7", document_mimetype="application/pdf"), "application/pdf"),
        (DocumentBlock(data=b"\xff\xfe\x00", title="x"), "UTF-8"),
        (DocumentBlock(url="https://example.org/a.txt"), "not downloaded from URLs"),
        (DocumentBlock(), "it has no data"),
        (ImageBlock(), "it has no data"),
        (AudioBlock(), "it has no data"),
        (object(), "object"),
    ],
)
def test_a_block_that_vllm_does_not_accept_is_refused(block: object, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        to_content([block])


def test_an_image_in_a_tool_result_is_sent() -> None:
    message = ChatMessage(
        role="tool", blocks=[TextBlock(text="a"), ImageBlock(image=PNG)], additional_kwargs={"tool_call_id": "c"}
    )
    assert [part["type"] for part in wire(message)[0]["content"]] == ["text", "image_url"]


def test_an_empty_tool_result_is_an_empty_string() -> None:
    message = ChatMessage(role="tool", blocks=[], additional_kwargs={"tool_call_id": "c"})
    assert wire(message) == [{"role": "tool", "content": "", "tool_call_id": "c"}]


def test_tool_calls_are_sent_once_with_arguments_as_text() -> None:
    message = ChatMessage(
        role="assistant",
        blocks=[
            ToolCallBlock(tool_call_id="a", tool_name="add", tool_kwargs={"a": 1, "ß": "ü"}),
            ToolCallBlock(tool_call_id="b", tool_name="now", tool_kwargs=""),
            ToolCallBlock(tool_name="raw", tool_kwargs='{"b": [1]}'),
        ],
        additional_kwargs={"tool_calls": [{"id": "a", "function": {"name": "add", "arguments": "{}"}}]},
    )
    (sent,) = wire(message)
    assert sent["content"] is None
    assert [(call["id"], call["function"]) for call in sent["tool_calls"]] == [
        ("a", {"name": "add", "arguments": '{"a": 1, "ß": "ü"}'}),
        ("b", {"name": "now", "arguments": "{}"}),
        ("call_2", {"name": "raw", "arguments": '{"b": [1]}'}),
    ]


class _Function:
    name = "add"
    arguments = '{"a": 1}'


class _OpenAICall:
    id = "a"
    function = _Function()


@pytest.mark.parametrize("call", [_OpenAICall(), {"id": "a", "function": {"name": "add", "arguments": '{"a": 1}'}}])
def test_older_histories_keep_their_calls(call: object) -> None:
    (sent,) = wire(ChatMessage(role="assistant", content="Sum", additional_kwargs={"tool_calls": [call]}))
    assert sent == {
        "role": "assistant",
        "content": "Sum",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}],
    }


def test_an_older_call_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="function name"):
        wire(ChatMessage(role="assistant", additional_kwargs={"tool_calls": [{"id": "a", "function": {}}]}))


@pytest.mark.parametrize("broken", ['{"a": 1', "[1]", "null", "nonsense"])
def test_broken_arguments_in_a_history_are_sent_as_valid_json(broken: str) -> None:
    (sent,) = wire(ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="add", tool_kwargs=broken)]))
    arguments = sent["tool_calls"][0]["function"]["arguments"]
    assert arguments.startswith('{"invalid_arguments": ')


@pytest.mark.parametrize(
    ("replay", "sent"),
    [("tool_loop", [None, "new"]), ("all", ["old", "new"]), ("none", [None, None])],
)
def test_reasoning_is_replayed_by_the_policy(replay: ReasoningReplay, sent: list[str | None]) -> None:
    def thought(text: str) -> ChatMessage:
        return ChatMessage(role="assistant", blocks=[ThinkingBlock(content=text), TextBlock(text="a")])

    messages = [ChatMessage("1"), thought("old"), ChatMessage("2"), thought("new"), ChatMessage("r", role="tool")]
    found = [message.get("reasoning") for message in wire(*messages, replay=replay) if message["role"] == "assistant"]
    assert found == sent


def test_an_empty_answer_is_sent_as_an_empty_string() -> None:
    assert wire(ChatMessage(role="assistant", content="")) == [{"role": "assistant", "content": ""}]


def test_messages_are_not_changed() -> None:
    message = ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="a b", tool_kwargs={"a": {"b": 1}})])
    before = message.model_dump()
    wire(message, wire_names={"a b": "a_b"})
    assert message.model_dump() == before


def test_a_tool_has_its_wire_name_in_the_history() -> None:
    message = ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="a b")])
    assert wire(message, wire_names={"a b": "a_b"})[0]["tool_calls"][0]["function"]["name"] == "a_b"


def test_unknown_keywords_of_a_message_are_not_sent() -> None:
    message = ChatMessage("Hi", additional_kwargs={"cache_control": {"type": "ephemeral"}})
    assert wire(message) == [{"role": "user", "content": "Hi"}]
