"""Names are looked up under the deadlines of a call, and of several addresses the first that answers is used."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConnectionFailedError, RequestTimeoutError
from vllm_connect.transport.http import AsyncTransport
from vllm_connect.transport.resolver import look_up

from tests.connect.transport.conftest import ASK, Carry, aover
from tests.faults.server import FaultServer, answer

Lookup = Callable[[], list[Any]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Lookup]:
    """What is looked up for names of the tests."""
    known: dict[str, Lookup] = {}
    resolve = socket.getaddrinfo

    def found(host: Any, *args: Any, **options: Any) -> Any:
        if host in known and not options.get("flags"):
            return known[host]()
        return resolve(host, *args, **options)

    monkeypatch.setattr("socket.getaddrinfo", found)
    return known


def at(*ports: int) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]


@pytest.fixture
def deaf() -> Iterator[int]:
    with FaultServer(deaf=True) as server:
        yield server.port


def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_an_address_that_does_not_answer_delays_the_next_by_a_moment(
    carry: Carry, names: dict[str, Lookup], deaf: int
) -> None:
    with FaultServer(answer(b"here")) as server:
        names["many.test"] = lambda: at(deaf, closed(), deaf, server.port)
        started = time.monotonic()
        assert carry(VllmConfig(base_url="http://many.test:1", timeout={"connect": 10}), ASK).body == b"here"
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(("timeout", "phase"), [({"connect": 0.6}, "connect"), ({"total": 0.6}, "total")])
def test_all_addresses_together_have_the_time_of_the_phase(
    carry: Carry, names: dict[str, Lookup], deaf: int, timeout: dict[str, float], phase: str
) -> None:
    names["dead.test"] = lambda: at(*[deaf] * 5)
    started = time.monotonic()
    with pytest.raises(RequestTimeoutError) as caught:
        carry(VllmConfig(base_url="http://dead.test:1", timeout=timeout), ASK)
    assert caught.value.phase == phase
    assert time.monotonic() - started < 5


def test_addresses_that_all_refuse_are_an_error(carry: Carry, names: dict[str, Lookup]) -> None:
    names["refused.test"] = lambda: at(closed(), closed())
    with pytest.raises(ConnectionFailedError, match="refused") as caught:
        carry(VllmConfig(base_url="http://refused.test:1"), ASK)
    assert (caught.value.code, caught.value.phase) == ("connection_error", "connect")


async def test_a_full_executor_of_the_loop_delays_no_lookup(names: dict[str, Lookup]) -> None:
    release = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    held = loop.run_in_executor(None, release.wait)
    with FaultServer(answer(b"here")) as server:
        names["named.test"] = lambda: at(server.port)
        settings = VllmConfig(base_url="http://named.test:1", timeout={"connect": 10})
        assert (await aover(AsyncTransport(settings), settings, (ASK,))).body == b"here"
    release.set()
    await held


def test_calls_that_ask_for_the_same_name_share_a_lookup(names: dict[str, Lookup]) -> None:
    release, asked = threading.Event(), []

    def slowly() -> list[Any]:
        asked.append(1)
        release.wait(10)
        return at(1)

    names["shared.test"] = slowly
    found = [look_up("shared.test", 1) for _ in range(5)]
    release.set()
    assert [future.result(10) for future in found] == [at(1)] * 5
    assert asked == [1]
