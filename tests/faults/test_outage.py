"""An outage of a thousand calls costs a tenth more requests, whoever calls: one budget for each server."""

import asyncio

import pytest
from vllm_connect import AsyncVllmClient, ChatRequest, ServerFailureError, VllmClient, VllmConfig

from tests.faults.replies import error
from tests.faults.server import FaultServer, answer

ASK = ChatRequest(messages=[{"role": "user", "content": "Hi"}], model="demo")
DOWN = answer(error("busy", 503), "503 Service Unavailable")


async def fail(config: VllmConfig, calls: int) -> None:
    async with AsyncVllmClient(config) as client:
        for _ in range(calls):
            with pytest.raises(ServerFailureError):
                await client.complete(ASK)


def test_a_thousand_calls_cost_eleven_hundred_requests() -> None:
    with FaultServer(DOWN) as server:
        config = VllmConfig(base_url=server.url, max_retries=2, retry_delay=0.001)
        with VllmClient(config) as client:
            for _ in range(500):
                with pytest.raises(ServerFailureError):
                    client.complete(ASK)
        asyncio.run(fail(config, 500))
        assert len(server.requests) == 1_100
