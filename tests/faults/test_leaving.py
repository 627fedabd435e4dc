"""A consumer leaves a stream: the connection is closed, so the server stops, and the client goes on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.faults.clients import Asker, made
from tests.faults.replies import piece
from tests.faults.server import STREAM_HEAD, FaultServer, Script, event, forever, send

WORD = event(piece(content="word "))
ENDLESS: Script = [send(STREAM_HEAD), forever(WORD, 0.005)]
PROMPT = "Hello"


class OfTheConsumer(Exception):  # noqa: N818 - a name of its own
    """What a consumer raises."""


# Leaving


def close(asker: Asker) -> None:
    stream: Any = asker.stream(PROMPT)
    next(stream)
    stream.close()
    assert next(stream, None) is None


def drop(asker: Asker) -> None:
    stream = asker.stream(PROMPT)
    next(stream)
    del stream


def leave_the_loop(asker: Asker) -> None:
    for _ in asker.stream(PROMPT):
        break


def fail(asker: Asker) -> None:
    """F113: the error is the consumer's own."""

    def consume() -> None:
        for _ in asker.stream(PROMPT):
            raise OfTheConsumer

    with pytest.raises(OfTheConsumer) as caught:
        consume()
    caught.value.__traceback__ = None  # it holds the generator


@pytest.mark.parametrize("leave", [close, drop, leave_the_loop, fail])
def test_leaving(kind: str, leave: Callable[[Asker], None]) -> None:
    """F101, F102, F113: the server sees it while the client lives on."""
    with FaultServer(ENDLESS) as server:
        asker = made(kind, server.url)
        for turn in (1, 2):
            leave(asker)
            server.wait_for_hang_up()
            server.wait_until_closed()
            server.hung_up.clear()
            assert len(server.requests) == turn
        asker.close()


async def aclose(asker: Asker) -> None:
    stream: Any = asker.astream(PROMPT)
    await anext(stream)
    await stream.aclose()
    assert await anext(stream, None) is None


async def adrop(asker: Asker) -> None:
    stream = asker.astream(PROMPT)
    await anext(stream)
    del stream


async def aleave_the_loop(asker: Asker) -> None:
    async for _ in asker.astream(PROMPT):
        break


async def afail(asker: Asker) -> None:
    """F113."""

    async def consume() -> None:
        async for _ in asker.astream(PROMPT):
            raise OfTheConsumer

    with pytest.raises(OfTheConsumer) as caught:
        await consume()
    caught.value.__traceback__ = None  # it holds the generator


async def cancel(asker: Asker) -> None:
    """F100."""
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in asker.astream(PROMPT):
            begun.set()

    task = asyncio.ensure_future(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("leave", [aclose, adrop, aleave_the_loop, afail, cancel])
async def test_leaving_in_a_loop(kind: str, leave: Callable[[Asker], Coroutine[Any, Any, None]]) -> None:
    """F100, F101, F102, F113: the server sees it while the client lives on, and no task is left."""
    with FaultServer(ENDLESS) as server:
        asker = made(kind, server.url)
        before = asyncio.all_tasks()
        for turn in (1, 2):
            await leave(asker)
            await asyncio.to_thread(server.wait_for_hang_up)
            await asyncio.to_thread(server.wait_until_closed)
            server.hung_up.clear()
            assert len(server.requests) == turn
        assert asyncio.all_tasks() == before
        await asker.aclose()
