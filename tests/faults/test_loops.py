"""Event loops and threads: one model object serves all of them."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.faults.clients import Asker, made
from tests.faults.echo import Echo


async def streamed(asker: Asker, prompt: str) -> str:
    stream: AsyncIterator[Any] = asker.astream(prompt)
    return asker.joined([piece async for piece in stream]).text


def test_a_hundred_loops_one_after_the_other(kind: str, echo: Echo) -> None:
    """F106."""
    asker = made(kind, echo.url)

    async def both(turn: int) -> list[str]:
        return [(await asker.aask(f"whole {turn}")).text, await streamed(asker, f"stream {turn}")]

    for turn in range(100):
        assert asyncio.run(both(turn)) == [f"whole {turn}", f"stream {turn}"]


def test_loops_in_eight_threads(kind: str, echo: Echo) -> None:
    """F107."""
    asker = made(kind, echo.url)
    right: list[bool] = []

    async def four(name: str) -> None:
        said = await asyncio.gather(*(asker.aask(f"{name} {call}") for call in range(4)))
        right.extend(came.text == f"{name} {call}" for call, came in enumerate(said))

    def work(thread: int) -> None:
        for turn in range(5):
            asyncio.run(four(f"{thread} {turn}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert right == [True] * 160


async def test_a_blocking_call_in_a_loop(kind: str, echo: Echo) -> None:
    """F110."""
    asker = made(kind, echo.url)
    assert asker.ask("blocking").text == "blocking"
    assert (await asker.aask("waiting")).text == "waiting"
    assert asker.joined(list(asker.stream("blocking stream"))).text == "blocking stream"
    assert await streamed(asker, "waiting stream") == "waiting stream"
    await asker.aclose()


def test_a_hundred_threads(kind: str, echo: Echo) -> None:
    """F110."""
    asker = made(kind, echo.url)

    def work(number: int) -> list[str]:
        return [asker.ask(f"whole {number}").text, asker.joined(list(asker.stream(f"stream {number}"))).text]

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(work, range(100))) == [[f"whole {n}", f"stream {n}"] for n in range(100)]
    asyncio.run(asker.aclose())
