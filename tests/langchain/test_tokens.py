"""Tokens are counted by the server, once, and estimated if it cannot count."""

import logging
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, trim_messages
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_vllm import tokens
from langchain_vllm.errors import AuthenticationError

from tests.langchain.scripted import Reply, Scripted, server_error

MESSAGES: list[BaseMessage] = [HumanMessage("Hi")]


def add(a: int) -> int:
    """Add."""
    return a


async def test_a_count_is_requested_once() -> None:
    script = Scripted([{"count": 42}])
    model = script.model(chat_template_kwargs={"enable_thinking": False})
    assert model.get_num_tokens_from_messages(MESSAGES, [add]) == 42
    assert model.get_num_tokens_from_messages(MESSAGES, [add]) == 42
    assert await model.aget_num_tokens_from_messages(MESSAGES, [add]) == 42
    (body,) = script.asked
    assert script.urls[0].endswith("/tokenize")
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert body["tools"] == [convert_to_openai_tool(add)]
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert await model.aget_num_tokens_from_messages(MESSAGES) == 42
    assert len(script.asked) == 2
    assert model.get_num_tokens_from_messages([]) == 0


def test_the_cache_of_counts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CAPACITY", 2)
    counts = tokens.TokenCounts()
    for number, key in enumerate("abc"):
        counts.add(key, number)
        counts.get("a")
    assert [counts.get(key) for key in "abc"] == [0, None, 2]


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_a_count_is_estimated_if_the_server_cannot_count(status: int, caplog: pytest.LogCaptureFixture) -> None:
    script = Scripted([server_error(status, "roles must alternate")])
    with caplog.at_level(logging.INFO):
        few = script.model().get_num_tokens_from_messages(MESSAGES)
        many = await script.model().aget_num_tokens_from_messages([*MESSAGES, AIMessage("x" * 400)], [add])
    assert 0 < few < many
    assert "estimated" in caplog.text
    assert "Hi" not in caplog.text


async def test_the_server_tokenizes_text() -> None:
    script = Scripted([{"tokens": [1, 2, 3]}])
    model = script.model()
    assert model.get_token_ids("Hello") == [1, 2, 3]
    assert await model.aget_token_ids("Hello") == [1, 2, 3]
    assert model.get_num_tokens("Hello") == 3
    assert script.asked[0] == {"model": "demo", "prompt": "Hello", "add_special_tokens": False}
    with pytest.raises(AuthenticationError):
        Scripted([Reply(401, b'{"error": "Unauthorized"}')]).model().get_token_ids("Hello")


async def test_a_tokenizer_of_the_caller_is_used_instead() -> None:
    def words(text: str) -> list[int]:
        return [0] * len(text.split())

    script = Scripted([])
    model = script.model(custom_get_token_ids=words)
    assert model.get_num_tokens("one two") == 2
    assert await model.aget_token_ids("one two") == [0, 0]
    assert model.get_num_tokens_from_messages([HumanMessage("one two")]) == 3
    assert model.get_num_tokens_from_messages([HumanMessage("one two")], [add]) > 3
    assert script.asked == []


def test_messages_can_be_trimmed() -> None:
    def count(request: httpx.Request) -> httpx.Response:
        import json  # noqa: PLC0415

        return httpx.Response(200, json={"count": 10 * len(json.loads(request.content)["messages"])})

    model: Any = Scripted([]).model(http_client=httpx.Client(transport=httpx.MockTransport(count)))
    kept = trim_messages(
        [SystemMessage("s"), *(HumanMessage(str(i)) for i in range(9))],
        max_tokens=40,
        token_counter=model,
        include_system=True,
    )
    assert [m.content for m in kept] == ["s", "6", "7", "8"]
