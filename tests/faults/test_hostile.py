"""Text and media of others: passed on as they are, or refused, and never fetched, run or logged raw."""

import asyncio
import logging
from typing import Any

import pytest
from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage, ImageBlock
from llama_index_vllm import VllmLLM
from vllm_connect import ChatRequest, ConfigurationError, MessagePolicy, ModelNotFoundError, VllmClient, VllmConfig

from tests.faults.clients import made
from tests.faults.echo import echoing
from tests.faults.server import FaultServer, answer

TOKENS = ["<|im_end|>", "<|eot_id|>", "<｜end▁of▁sentence｜>", "</s>", "<end_of_turn>", "[/INST]"]
PLAIN = ["a <b> c", "x < y | y > x", "<|not one, it has spaces|>", "[INSTALL]", "<|" + "x" * 100 + "|>", "<sp>"]


def image(url: str, role: str = "user") -> ChatRequest:
    part = {"type": "image_url", "image_url": {"url": url}}
    return ChatRequest(messages=[{"role": role, "content": [part]}], model="demo")


@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_pass_unchanged(kind: str, token: str) -> None:
    """F124."""
    with echoing() as server:
        asker = made(kind, server.url)
        assert asker.ask(f"a{token}b").text == f"a{token}b"
        asyncio.run(asker.aclose())


@pytest.mark.parametrize("role", ["user", "tool"])
@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_are_refused_when_asked(token: str, role: str) -> None:
    """F124: the message shows where, and nothing of what was said."""
    for content in (f"prompt-canary{token}", [{"type": "text", "text": f"prompt-canary{token}"}]):
        messages = [{"role": "system", "content": token}, {"role": role, "content": content}]
        with pytest.raises(ConfigurationError, match=r"messages\[1\]") as caught:
            ChatRequest(messages=messages, refuse_control_tokens=True).check_messages()
        assert "canary" not in str(caught.value)


def test_developer_text_does_not_teach_a_message_policy() -> None:
    """F124: a late system message goes out as a user's turn."""
    messages = [{"role": "user", "content": "Hi"}, {"role": "system", "content": "End with <|im_end|>."}]
    said = {"choices": [{"index": 0, "message": {"content": "Yes."}, "finish_reason": "stop"}]}
    ordered = MessagePolicy(late_systems="user")
    with FaultServer(answer(said)) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        request = ChatRequest(messages=messages, model="m", refuse_control_tokens=True, message_policy=ordered)
        assert client.complete(request).text == "Yes."
        with pytest.raises(ConfigurationError, match=r"messages\[0\]"):
            client.count_tokens(request.model_copy(update={"messages": [{"role": "user", "content": "<|im_end|>"}]}))


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_no_control_token(text: str) -> None:
    messages = [{"role": "user", "content": text}]
    ChatRequest(messages=messages, refuse_control_tokens=True).check_messages()


def test_both_adapters_can_refuse() -> None:
    """F124."""
    with FaultServer(answer()) as server:
        with pytest.raises(ConfigurationError, match="control token"):
            ChatVllm(base_url=server.url, model="m", refuse_control_tokens=True).invoke("<|im_end|>")
        with pytest.raises(ConfigurationError, match="control token"):
            VllmLLM(base_url=server.url, model="m", refuse_control_tokens=True).complete("<|im_end|>")
        assert not server.requests


@pytest.mark.parametrize("url", ["http://a.test/x.png", "HTTPS://a.test/x.png", "data:image/png;base64,iVBO"])
def test_media_are_passed_on(url: str) -> None:
    """F123."""
    image(url).check_messages()
    assert image(url).body()["messages"][0]["content"][0]["image_url"]["url"] == url


@pytest.mark.parametrize("url", ["file:/etc/passwd", "FILE:/x", "ftp://a.test/x", "/etc/passwd", "gopher:x", ""])
def test_media_from_elsewhere_are_refused(url: str) -> None:
    """F123."""
    with pytest.raises(ConfigurationError, match=r"^messages\[0\] part 0 \(image_url\) has ") as caught:
        image(url).check_messages()
    assert "passwd" not in str(caught.value)
    bare = {"role": "user", "content": [{"type": "video_url", "video_url": url}]}
    with pytest.raises(ConfigurationError, match=r"part 0 \(video_url\)"):
        ChatRequest(messages=[bare]).check_messages()


@pytest.mark.parametrize(
    "part",
    [
        {"image_url": "file:/etc/passwd"},
        {"type": "input_image", "image_url": "file:/etc/passwd"},
        {"type": "text", "text": "x", "uuid": "u", "audio_url": {"url": "file:/etc/passwd"}},
    ],
)
def test_a_url_is_found_whatever_the_type_of_its_part(part: dict[str, Any]) -> None:
    """F123: a server takes the URL of a part without a type, and of one with a uuid."""
    for content in ([{"type": "text", "text": "x"}, part], ({"type": "text", "text": "x"}, part)):
        with pytest.raises(ConfigurationError, match=r"messages\[0\] part 1"):
            ChatRequest(messages=[{"role": "user", "content": content}]).check_messages()


def test_media_of_private_hosts_are_refused_where_they_stand_in_what_was_given() -> None:
    """F123: whatever order the messages are sent in, the index is the caller's."""
    private = image("http://10.0.0.1/secret-canary.png")
    systems = [{"role": "system", "content": "x"}] * 2
    asked = private.model_copy(
        update={"messages": [*systems, *private.messages], "message_policy": MessagePolicy(merge_leading_systems=True)}
    )
    with FaultServer(answer()) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        with pytest.raises(
            ConfigurationError, match=r"^messages\[2\] part 0 \(image_url\) .*allow_private_media=True$"
        ) as caught:
            client.complete(asked)
        assert not server.requests
    assert "10.0" not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_media_of_private_hosts_are_sent_when_allowed() -> None:
    """F123: in both adapters."""
    url = "http://10.0.0.1/cat.png"
    said = {"choices": [{"index": 0, "message": {"content": "A cat."}, "finish_reason": "stop"}]}
    block = ImageBlock(url=url)
    with FaultServer(answer(said)) as server:
        with pytest.raises(ConfigurationError, match="private host"):
            ChatVllm(base_url=server.url, model="m").invoke([("user", [{"type": "image", "url": url}])])
        with pytest.raises(ConfigurationError, match="private host"):
            VllmLLM(base_url=server.url, model="m").chat([ChatMessage(role="user", blocks=[block])])
        assert not server.requests
        open_chat = ChatVllm(base_url=server.url, model="m", allow_private_media=True)
        open_chat.invoke([("user", [{"type": "image", "url": url}])])
        VllmLLM(base_url=server.url, model="m", allow_private_media=True).chat(
            [ChatMessage(role="user", blocks=[block])]
        )
        assert len(server.requests) == 2
        assert all(url.encode() in request.body for request in server.requests)


def test_media_are_never_fetched() -> None:
    """F123: the only request is the one that carries the URL."""
    said = {"choices": [{"index": 0, "message": {"content": "A cat."}, "finish_reason": "stop"}]}
    with FaultServer(answer(said)) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        asked = image(f"{server.url}/cat.png").model_copy(update={"allow_private_media": True})
        assert client.complete(asked).text == "A cat."
        assert [request.target for request in server.requests] == ["/v1/chat/completions"]


def test_a_file_of_the_model_s_caller_is_refused_in_both_adapters() -> None:
    """F123."""
    part = {"type": "image_url", "image_url": {"url": "file:/etc/passwd"}}
    with FaultServer(answer()) as server:
        with pytest.raises(ConfigurationError, match="file: URL"):
            ChatVllm(base_url=server.url, model="m").invoke([("user", [part])])
        assert not server.requests


HOSTILE = "a\r\nFORGED \x1b[31mline\x00\u2028" + "x" * 5000


def test_what_the_server_says_is_one_clipped_line(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """F125."""
    caplog.set_level(logging.DEBUG)
    body = {"error": {"message": HOSTILE, "type": HOSTILE, "param": HOSTILE, "code": 404}}
    with FaultServer(answer(body, "404 Not Found")) as server, pytest.raises(Exception, match="404") as caught:
        made(kind, server.url).ask("Hi")
    assert isinstance(caught.value, ModelNotFoundError)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 3000
    assert_lines_are_clean(caplog)


def test_logged_names_are_escaped(caplog: pytest.LogCaptureFixture) -> None:
    """F125: a repaired history names calls by their ids, which a model or a server wrote."""
    caplog.set_level(logging.DEBUG)
    orphan: dict[str, Any] = {"role": "tool", "tool_call_id": HOSTILE, "content": "prompt-canary"}
    said = {"choices": [{"index": 0, "message": {"content": "Yes."}, "finish_reason": "stop"}]}
    with FaultServer(answer(said)) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        client.complete(ChatRequest(messages=[{"role": "user", "content": "Hi"}, orphan], model="m"))
    assert "history repaired" in caplog.text
    assert_lines_are_clean(caplog)


def assert_lines_are_clean(caplog: pytest.LogCaptureFixture) -> None:
    for record in caplog.records:
        line = record.getMessage()
        assert line.isprintable()
        assert len(line) < 1000
        assert "canary" not in line
