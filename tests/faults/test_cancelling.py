"""A call is cancelled, wherever it is: at once, not swallowed, and nothing is left."""

import asyncio
import sys
import warnings
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio
import pytest

from tests.faults.clients import Asker, Core, made
from tests.faults.echo import Echo
from tests.faults.server import FaultServer, Script, answer, stall
from tests.faults.test_leaving import ENDLESS, PROMPT, OfTheConsumer

Ask = Callable[[], Coroutine[Any, Any, Any]]


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, and then a little more, so that the call has gone as far as it can."""
    while not condition():  # noqa: ASYNC110 - the server is in a thread
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)


async def consume(asker: Asker) -> None:
    async for _ in asker.astream(PROMPT):
        pass


async def cancelled_by_timeout(ask: Ask, begun: Ask) -> None:
    async def end() -> None:
        await begun()
        scope.deadline = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(end)
        with pytest.raises(TimeoutError), anyio.fail_after(60) as scope:
            await ask()


async def cancelled_by_scope(ask: Ask, begun: Ask) -> None:
    async def end() -> None:
        await begun()
        scope.cancel()

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            group.start_soon(end)
            await ask()
            pytest.fail("the cancellation was swallowed")
    assert scope.cancelled_caught


async def cancelled_by_sibling(ask: Ask, begun: Ask) -> None:
    async def fail() -> None:
        await begun()
        raise OfTheConsumer

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(fail)

    with pytest.raises(Exception, match="TaskGroup") as caught:
        await both()
    errors: Any = caught.value
    assert [type(error) for error in errors.exceptions] == [OfTheConsumer]


async def cancelled_plainly(ask: Ask, begun: Ask) -> None:
    task = asyncio.ensure_future(ask())
    await begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


WAYS = {
    "cancel": cancelled_plainly,
    "timeout": cancelled_by_timeout,
    "scope": cancelled_by_scope,
    "sibling": cancelled_by_sibling,
}
if sys.version_info >= (3, 11):

    async def cancelled_by_asyncio(ask: Ask, begun: Ask) -> None:
        async def end() -> None:
            await begun()
            scope.reschedule(0)

        task = asyncio.ensure_future(end())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60) as scope:
                await ask()
        await task

    WAYS["asyncio's timeout"] = cancelled_by_asyncio
PHASES: dict[str, tuple[Script, dict[str, Any]]] = {
    "headers": ([stall], {}),
    "stream": (ENDLESS, {}),
    "back-off": (answer(b"{}", "503 Service Unavailable", {"retry-after": "60"}), {"max_retries": 5}),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("way", WAYS)
async def test_cancelling(kind: str, way: str, phase: str) -> None:
    """F100, F104, F105: at once, not swallowed, nothing left."""
    script, settings = PHASES[phase]
    with FaultServer(script) as server:
        asker = made(kind, server.url, **settings)
        before = asyncio.all_tasks()
        ask = (lambda: consume(asker)) if phase == "stream" else (lambda: asker.aask(PROMPT))
        await WAYS[way](
            ask, partial(until, lambda: len(server.requests) == 1 and (phase != "back-off" or not server.busy))
        )
        if phase != "back-off":
            await asyncio.to_thread(server.wait_for_hang_up)
        assert len(server.requests) == 1
        await asker.aclose()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_cancelling_while_connecting(kind: str, scheme: str) -> None:
    """F104: while TCP, or TLS, is on its way."""
    with FaultServer(greeting=[stall], deaf=scheme == "http") as server:
        asker = made(kind, f"{scheme}://127.0.0.1:{server.port}", verify=scheme == "http")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the certificate that is not verified
            await cancelled_plainly(lambda: asker.aask(PROMPT), partial(until, lambda: scheme == "http" or server.busy))
        await asker.aclose()
        if scheme == "https":
            await asyncio.to_thread(server.wait_for_hang_up)


async def test_cancelling_the_close(echo: Echo) -> None:
    """F104: a close that was cancelled can be finished, and the client goes on."""
    asker = Core(echo.url)
    assert (await asker.aask("a")).text == "a"
    task = asyncio.ensure_future(asker.aclose())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await asker.aask("b")).text == "b"
    await asker.aclose()
