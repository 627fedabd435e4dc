"""The connections of a client: shared by many, never for ever, and never given away."""

import asyncio
import random
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
from vllm_connect import RequestTimeoutError

from tests.faults.clients import Asker, made
from tests.faults.replies import piece, whole
from tests.faults.scenarios.connecting import certified
from tests.faults.server import STREAM_HEAD, Connection, FaultServer, answer, close, event, say, send, stall, stream

LAST = event(piece("stop")) + event("[DONE]")
HELD = [send(STREAM_HEAD + event(piece(content="Hi"))), stall]
FINE = stream(piece(content="Hi"), piece("stop"))
LONG = "Hel" * 20_000
ALL_AT_ONCE = [
    send(STREAM_HEAD + event(piece(content="Hel")) + event(piece(content="Hel" * 19_999)) + LAST),
    say,
    stall,
]
FULL = r"all 2 connections are in use: raise max_connections"


def asked(asker: Asker, mode: str) -> object:
    return asker.ask("Hi") if mode == "unary" else list(asker.stream("Hi"))


async def awaited(asker: Asker, mode: str) -> object:
    return await asker.aask("Hi") if mode == "unary" else [piece async for piece in asker.astream("Hi")]


@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_the_pool_is_full(kind: str, mode: str) -> None:
    """F10: an error that names the limit, and no deadlock."""
    with FaultServer(HELD) as server:
        asker = made(kind, server.url, max_connections=2, timeout={"pool": 0.2}, max_retries=2)
        streams: list[Any] = [asker.stream("Hi") for _ in range(2)]
        assert all(next(stream) for stream in streams)
        with pytest.raises(RequestTimeoutError, match=FULL) as caught:
            asked(asker, mode)
        assert (caught.value.phase, caught.value.attempts, len(server.requests)) == ("pool", 1, 2)
        for stream in streams:
            stream.close()
        server.wait_until_closed()


@pytest.mark.parametrize("mode", ["unary", "stream"])
async def test_full_of_streams_in_a_loop(kind: str, mode: str) -> None:
    """F10."""
    with FaultServer(HELD) as server:
        asker = made(kind, server.url, max_connections=2, timeout={"pool": 0.2}, max_retries=2)
        streams: list[Any] = [asker.astream("Hi") for _ in range(2)]
        assert all([await anext(stream) for stream in streams])
        with pytest.raises(RequestTimeoutError, match=FULL) as caught:
            await awaited(asker, mode)
        assert (caught.value.phase, caught.value.attempts, len(server.requests)) == ("pool", 1, 2)
        for stream in streams:
            await stream.aclose()
        await asker.aclose()
        await asyncio.to_thread(server.wait_until_closed)


@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_streams_that_nobody_reads(kind: str, mode: str) -> None:
    """F103: another call takes their places, the server sees it, and who reads on is told."""
    with FaultServer(HELD, HELD, FINE) as server:
        asker = made(kind, server.url, max_connections=2, timeout={"stall": 0.05})
        streams: list[Any] = [asker.stream("Hi") for _ in range(2)]
        assert all(next(stream) for stream in streams)
        time.sleep(0.1)
        assert asked(asker, mode)
        server.wait_for_hang_up()
        for stream in streams:
            with pytest.raises(RequestTimeoutError, match="the caller did not read the stream") as caught:
                next(stream)
            assert (caught.value.phase, caught.value.partial and caught.value.partial.text) == ("stall", "Hi")
        assert asked(asker, mode)
        asker.close()
        server.wait_until_closed()
        assert len(server.requests) == 4


@pytest.mark.parametrize("mode", ["unary", "stream"])
async def test_streams_that_nobody_reads_in_a_loop(kind: str, mode: str) -> None:
    """F103: the loop closes them."""
    with FaultServer(HELD, HELD, FINE) as server:
        asker = made(kind, server.url, max_connections=2, timeout={"stall": 0.05})
        streams: list[Any] = [asker.astream("Hi") for _ in range(2)]
        assert all([await anext(stream) for stream in streams])
        await asyncio.to_thread(server.wait_until_closed)
        assert len(server.hung_up) == 2
        assert await awaited(asker, mode)
        for stream in streams:
            with pytest.raises(RequestTimeoutError, match="the caller did not read the stream") as caught:
                await anext(stream)
            assert (caught.value.phase, caught.value.partial and caught.value.partial.text) == ("stall", "Hi")
        assert await awaited(asker, mode)
        await asker.aclose()
        await asyncio.to_thread(server.wait_until_closed)
        assert len(server.requests) == 4


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize("tls", [None, certified("127.0.0.1")], ids=["plain", "tls"])
@pytest.mark.filterwarnings("ignore:TLS certificates")
def test_an_answer_that_had_come_is_read_late(kind: str, tls: ssl.SSLContext | None, *, expired: bool) -> None:
    """F103: what the machine has received is not lost, be it by another call or not."""
    with FaultServer(ALL_AT_ONCE, FINE, tls=tls) as server:
        settings = {"timeout": {"stall": 0.05}, "coalesce": False, "max_connections": 1, "verify": False}
        asker = made(kind, server.url, **settings)
        stream: Any = asker.stream("Hi")
        first = next(stream)
        assert server.said.wait(10)
        time.sleep(0.1)
        assert not expired or asked(asker, "unary")
        assert asker.joined([first, *stream]).text == LONG
        asker.close()


async def test_an_answer_that_had_come_is_read_late_in_a_loop(kind: str) -> None:
    """F103."""
    with FaultServer(ALL_AT_ONCE) as server:
        asker = made(kind, server.url, timeout={"stall": 0.5}, coalesce=False)
        stream: Any = asker.astream("Hi")
        first = await anext(stream)
        await asyncio.to_thread(server.wait_until_closed)
        assert asker.joined([first, *[piece async for piece in stream]]).text == LONG
        await asker.aclose()


def now_and_then(chance: random.Random) -> Callable[[Connection], None]:
    """Close the connection after every other answer, at once or about when the next request comes."""

    def act(connection: Connection) -> None:
        if chance.random() < 0.5:
            time.sleep(chance.choice((0, 0.0001, 0.0005, 0.001)))
            close(connection)

    return act


CALLS = 2_500
"""In each of four ways: ten thousand."""


@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_a_server_that_closes_what_is_idle(mode: str) -> None:
    """F07, F08: whoever is first, no call fails, though none is tried again at its own cost."""
    script = answer(whole("Hi")) if mode == "unary" else stream(piece(content="Hi"), piece("stop"))
    with FaultServer([*script, now_and_then(random.Random(1))]) as server:  # noqa: S311 - repeatable, no secret
        asker = made("core", server.url)
        for _ in range(CALLS):
            asked(asker, mode)
        asker.close()
        assert server.connections > CALLS / 4


@pytest.mark.parametrize("mode", ["unary", "stream"])
async def test_a_server_that_closes_what_is_idle_in_a_loop(mode: str) -> None:
    """F07, F08."""
    script = answer(whole("Hi")) if mode == "unary" else stream(piece(content="Hi"), piece("stop"))
    with FaultServer([*script, now_and_then(random.Random(2))]) as server:  # noqa: S311 - repeatable, no secret
        asker = made("core", server.url)
        for _ in range(CALLS):
            await awaited(asker, mode)
        await asker.aclose()
        assert server.connections > CALLS / 4


async def test_a_stream_does_not_block_the_loop(kind: str) -> None:
    """F67: others have their turn at least once in a megabyte of events, however many have come together."""
    events = event(piece(content="x")) * 20_000
    script = [send(STREAM_HEAD + events + event(piece("stop")) + b"0\r\n\r\n")]
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with FaultServer(script) as server:
        asker = made(kind, server.url)
        counting = asyncio.ensure_future(count())
        before = turns
        await awaited(asker, "stream")
        counting.cancel()
        await asker.aclose()
    assert turns - before >= len(events) / 1_000_000
