"""The clients: what they add to the steps of a call."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
import vllm_connect.client
from vllm_connect import AsyncVllmClient, VllmClient, VllmConfig
from vllm_connect.testing import Answer, LoopbackServer


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:  # the kernel accepts, and nobody reads
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_health_check_has_a_limit_of_ten_seconds(silent_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vllm_connect.client.HEALTH_SECONDS == 10
    monkeypatch.setattr(vllm_connect.client, "HEALTH_SECONDS", 0.2)
    started = time.monotonic()

    async def check() -> bool:
        async with AsyncVllmClient(VllmConfig(base_url=silent_server)) as waiting:
            return await waiting.is_healthy()

    with VllmClient(VllmConfig(base_url=silent_server)) as client:
        assert not client.is_healthy()
    assert not asyncio.run(check())
    assert time.monotonic() - started < VllmConfig().timeout.first_token, "the default is ten minutes"  # type: ignore[union-attr,operator] # a Timeouts


def test_the_configured_total_may_be_shorter_than_a_health_checks_limit(silent_server: str) -> None:
    with VllmClient(VllmConfig(base_url=silent_server, timeout={"total": 0.1})) as client:
        assert not client.is_healthy()


def test_a_server_that_answers_is_healthy() -> None:
    with LoopbackServer(lambda _: Answer.json({})) as server, VllmClient(VllmConfig(base_url=server.url)) as client:
        assert client.is_healthy()
