"""A consumer leaves, and a real server stops generating."""

import asyncio
import time
import urllib.request
from collections.abc import Callable

import pytest

from tests.faults.clients import CLIENTS, Asker, made

pytestmark = pytest.mark.live

PROMPT = "Count to ten thousand, slowly."


def running(url: str) -> float:
    """Ask the server how many requests it works on."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("vllm:num_requests_running"))


def seen(url: str, *, busy: bool) -> bool:
    """Wait for the server to say that it works, or that it rests: it counts after it has sent."""
    until = time.monotonic() + 2
    while (running(url) > 0) is not busy:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def leave(asker: Asker, url: str) -> None:
    for _ in asker.stream(PROMPT):
        assert seen(url, busy=True)
        break


def aleave(asker: Asker, url: str) -> None:
    async def begin() -> None:
        stream = asker.astream(PROMPT)
        await anext(stream)
        assert await asyncio.to_thread(seen, url, busy=True)
        await stream.aclose()  # type: ignore[attr-defined] # it is a generator
        await asker.aclose()

    asyncio.run(begin())


@pytest.mark.parametrize("way", [leave, aleave], ids=["sync", "async"])
@pytest.mark.parametrize("kind", CLIENTS)
def test_the_server_stops(kind: str, way: Callable[[Asker, str], None], flagged_server: str) -> None:
    way(made(kind, flagged_server, extra_body={"ignore_eos": True, "max_tokens": 3000}), flagged_server)
    assert seen(flagged_server, busy=False)
