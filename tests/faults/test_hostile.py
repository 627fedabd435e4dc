"""Text and media of others: passed on as they are, or refused, and never fetched, run or logged raw."""

import asyncio
import logging
from typing import Any

import pytest
from langchain_vllm import ChatVllm
from llama_index_vllm import VllmLLM
from vllm_connect import ChatRequest, ConfigurationError, ModelNotFoundError, VllmClient, VllmConfig

from tests.faults.askers import KINDS, made
from tests.faults.echo import echoing
from tests.faults.server import FaultServer, answer

TOKENS = ["<|im_end|>", "<|eot_id|>", "<｜end▁of▁sentence｜>", "</s>", "<end_of_turn>", "[/INST]"]
PLAIN = ["a <b> c", "x < y | y > x", "<|not one, it has spaces|>", "[INSTALL]", "<|" + "x" * 100 + "|>", "<sp>"]


def image(url: str, role: str = "user") -> ChatRequest:
    part = {"type": "image_url", "image_url": {"url": url}}
    return ChatRequest(messages=[{"role": role, "content": [part]}], model="demo")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_pass_unchanged(kind: str, token: str) -> None:
    """F124."""
    with echoing() as server:
        asker = made(kind, server.url)
        assert asker.ask(f"a{token}b") == f"a{token}b"
        asyncio.run(asker.aclose())


@pytest.mark.parametrize("role", ["user", "tool"])
@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_are_refused_when_asked(token: str, role: str) -> None:
    """F124: the message shows where, and nothing of what was said."""
    for content in (f"prompt-canary{token}", [{"type": "text", "text": f"prompt-canary{token}"}]):
        messages = [{"role": "system", "content": token}, {"role": role, "content": content}]
        with pytest.raises(ConfigurationError, match=r"messages\[1\]") as caught:
            ChatRequest(messages=messages, refuse_control_tokens=True).body()
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_is_no_control_token(text: str) -> None:
    messages = [{"role": "user", "content": text}]
    body = ChatRequest(messages=messages, refuse_control_tokens=True).body()
    assert body == {"messages": messages}


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
    assert image(url).body()["messages"][0]["content"][0]["image_url"]["url"] == url


@pytest.mark.parametrize("url", ["file:/etc/passwd", "FILE:/x", "ftp://a.test/x", "/etc/passwd", "gopher:x", ""])
def test_media_from_elsewhere_are_refused(url: str) -> None:
    """F123."""
    with pytest.raises(ConfigurationError, match=r"messages\[0\] has media at") as caught:
        image(url).body()
    assert "passwd" not in str(caught.value)
    bare = {"role": "user", "content": [{"type": "video_url", "video_url": url}]}
    with pytest.raises(ConfigurationError, match="has media at"):
        ChatRequest(messages=[bare]).body()


def test_media_are_never_fetched() -> None:
    """F123: the only request is the one that carries the URL."""
    said = {"choices": [{"index": 0, "message": {"content": "A cat."}, "finish_reason": "stop"}]}
    with FaultServer(answer(said)) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        assert client.complete(image(f"{server.url}/cat.png")).text == "A cat."
        assert [request.target for request in server.requests] == ["/v1/chat/completions"]


def test_a_file_of_the_model_s_caller_is_refused_in_both_adapters() -> None:
    """F123."""
    part = {"type": "image_url", "image_url": {"url": "file:/etc/passwd"}}
    with FaultServer(answer()) as server:
        with pytest.raises(ConfigurationError, match="file: URL"):
            ChatVllm(base_url=server.url, model="m").invoke([("user", [part])])
        assert not server.requests


HOSTILE = "a\r\nFORGED \x1b[31mline\x00\u2028" + "x" * 5000


@pytest.mark.parametrize("kind", KINDS)
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
