"""An outage of a thousand calls costs no more requests than the budget allows, whoever calls: one budget for each server."""

import asyncio

import pytest
from vllm_connect import ServerFailureError

from tests.faults.clients import CLIENTS, made
from tests.faults.replies import error
from tests.faults.server import FaultServer, Script, answer

DOWN = answer(error("died", 500), "500 Internal Server Error")
BUSY = answer(error("busy", 503), "503 Service Unavailable")
CALLS = 1_000


@pytest.mark.parametrize(("script", "requests"), [(DOWN, 1_100), (BUSY, 1_500)], ids=["failing", "refusing"])
def test_a_thousand_calls_cost_as_many_requests_as_the_budget_allows(script: Script, requests: int) -> None:
    """F25: of all three clients in turn, blocking and not, streamed and whole."""
    with FaultServer(script) as server:
        askers = [made(kind, server.url, max_retries=2, retry_delay=0.001) for kind in CLIENTS]

        async def stream(turn: int) -> None:
            async for _ in askers[turn % 3].astream("Hi"):
                pytest.fail("it has no answer")

        async def half() -> None:
            for turn in range(CALLS // 4):
                for call in (askers[turn % 3].aask("Hi"), stream(turn)):
                    with pytest.raises(ServerFailureError):
                        await call
            for asker in askers:
                await asker.aclose()

        for turn in range(CALLS // 4):
            with pytest.raises(ServerFailureError):
                askers[turn % 3].ask("Hi")
            with pytest.raises(ServerFailureError):
                list(askers[turn % 3].stream("Hi"))
        asyncio.run(half())
        assert len(server.requests) == requests
