"""Loops, threads, processes, copies and ends: one model object lives through all of them."""

import asyncio
import copy
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest

from tests.faults.askers import KINDS, Asker, Core, made
from tests.faults.echo import Echo, echoing
from tests.faults.server import STREAM_HEAD, FaultServer, Script, answer, event, forever, send, stall

KEY = "sk-lifecycle-canary"
WORD = event({"id": "1", "choices": [{"index": 0, "delta": {"content": "word "}}]})
ENDLESS: Script = [send(STREAM_HEAD), forever(WORD, 0.005)]
PROMPT = "Hello"

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with echoing() as server:
        yield server


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_API_KEY", "VLLM_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


def object_of(asker: Asker) -> Any:
    """Give what a user holds: a model, or the configuration of the core's clients."""
    return next(iter(vars(asker).values()))


async def all_of(stream: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in stream])


# Loops and threads


@every_kind
def test_a_hundred_loops_one_after_the_other(kind: str, echo: Echo) -> None:
    """F106."""
    asker = made(kind, echo.url)

    async def both(turn: int) -> list[str]:
        return [await asker.aask(f"whole {turn}"), await all_of(asker.astream(f"stream {turn}"))]

    for turn in range(100):
        assert asyncio.run(both(turn)) == [f"whole {turn}", f"stream {turn}"]


@every_kind
def test_loops_in_eight_threads(kind: str, echo: Echo) -> None:
    """F107."""
    asker = made(kind, echo.url)
    right: list[bool] = []

    async def four(name: str) -> None:
        said = await asyncio.gather(*(asker.aask(f"{name} {call}") for call in range(4)))
        right.extend(text == f"{name} {call}" for call, text in enumerate(said))

    def work(thread: int) -> None:
        for turn in range(5):
            asyncio.run(four(f"{thread} {turn}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert right == [True] * 160


@every_kind
async def test_a_blocking_call_in_a_loop(kind: str, echo: Echo) -> None:
    """F110."""
    asker = made(kind, echo.url)
    assert asker.ask("blocking") == "blocking"
    assert await asker.aask("waiting") == "waiting"
    assert "".join(asker.stream("blocking stream")) == "blocking stream"
    await asker.aclose()


@every_kind
def test_a_hundred_threads(kind: str, echo: Echo) -> None:
    """F110."""
    asker = made(kind, echo.url)

    def work(number: int) -> bool:
        return asker.ask(f"whole {number}") == f"whole {number}" and "".join(asker.stream(f"{number}")) == f"{number}"

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(work, range(100))) == [True] * 100
    asyncio.run(asker.aclose())


# Processes and copies


def _ask_often(asker: Asker, times: int, pipe: Any) -> None:
    name = os.getpid()
    wrong = sum(asker.ask(f"{name} {turn}") != f"{name} {turn}" for turn in range(times))
    waiting = sum(asyncio.run(asker.aask(f"{name} a{turn}")) != f"{name} a{turn}" for turn in range(5))
    pipe.send(wrong + waiting)
    pipe.close()


@every_kind
def test_fork_after_use(kind: str, echo: Echo) -> None:
    """F108: parent and children ask at the same time and get their own answers."""
    asker = made(kind, echo.url)
    assert asker.ask("before") == "before"
    pipes = []
    children = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the server's thread, and a fork beside it
        for _ in range(4):
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context("fork").Process(target=_ask_often, args=(asker, 50, theirs))
            child.start()
            theirs.close()
            pipes.append(ours)
            children.append(child)
    wrong = sum(asker.ask(f"parent {turn}") != f"parent {turn}" for turn in range(100))
    assert [wrong, *(pipe.recv() for pipe in pipes)] == [0] * 5
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    asyncio.run(asker.aclose())


def _ask_unpickled(model: bytes, pipe: Any) -> None:
    thing = pickle.loads(model)  # noqa: S301 - our own bytes
    text = thing.invoke("spawned").text if hasattr(thing, "invoke") else thing.complete("spawned").text
    key = thing.api_key
    pipe.send((str(text), None if key is None else key.get_secret_value()))
    pipe.close()


@pytest.mark.parametrize("kind", ["langchain", "llamaindex"])
def test_spawn_and_pickle(kind: str, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """F109: a used model goes to another process without its key, and reads it from the environment there."""
    asker = made(kind, echo.url, api_key=KEY)
    assert asker.ask("before") == "before"
    pickled = pickle.dumps(object_of(asker))
    assert KEY.encode() not in pickled
    monkeypatch.setenv("VLLM_API_KEY", "sk-of-the-child")
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_ask_unpickled, args=(pickled, theirs))
    child.start()
    theirs.close()
    assert ours.recv() == ("spawned", "sk-of-the-child")
    child.join(30)
    asyncio.run(asker.aclose())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
@pytest.mark.parametrize("kind", ["langchain", "llamaindex"])
def test_copies_after_use(kind: str, copied: Callable[[Any], Any], echo: Echo) -> None:
    """F109."""
    asker = made(kind, echo.url, api_key=KEY)
    assert asker.ask("before") == "before"
    twin = copied(object_of(asker))
    assert twin.api_key.get_secret_value() == KEY
    text = twin.invoke("copy").text if kind == "langchain" else twin.complete("copy").text
    assert str(text) == "copy"
    twin.close()
    assert asker.ask("after") == "after"
    asyncio.run(asker.aclose())


# Ends

EXITS = {
    "sync": "stream = asker.stream('hold'); print(next(stream))",
    "async": """
import asyncio
async def main():
    global stream
    stream = asker.astream("hold")
    print(await anext(stream))
asyncio.run(main())
""",
    "loop closed": """
import asyncio
async def main():
    global stream
    stream = asker.astream("hold")
    print(await anext(stream))
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()
""",
}


@pytest.mark.parametrize("way", EXITS)
@every_kind
def test_exit_with_an_open_stream(kind: str, way: str) -> None:
    """F111: no traceback and no warning."""
    with FaultServer(ENDLESS) as server:
        code = f"from tests.faults.askers import made\nasker = made({kind!r}, {server.url!r})\n{EXITS[way]}"
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "ignore", "-W", "default::ResourceWarning", "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        server.wait_until_closed()
    assert (done.returncode, done.stdout.strip()) == (0, "word")
    if kind == "core" or way == "sync":
        assert done.stderr == ""
    else:  # a loop that ends closes nested generators, the framework's among them, in any order, and may tell of it
        assert "Warning" not in done.stderr


@every_kind
async def test_a_client_of_the_caller_is_never_closed(kind: str, echo: Echo) -> None:
    """F112."""
    with httpx.Client() as blocking:
        async with httpx.AsyncClient() as waiting:
            asker = made(kind, echo.url, http_client=blocking, async_http_client=waiting)
            assert asker.ask("a") == "a"
            assert await asker.aask("b") == "b"
            await asker.aclose()
            del asker
            gc.collect()
            assert not blocking.is_closed
            assert not waiting.is_closed


class OfTheConsumer(Exception):  # noqa: N818 - a name of its own
    """What a consumer raises."""


@every_kind
def test_a_consumer_raises(kind: str) -> None:
    """F113: the stream is closed, and the error is the consumer's own."""

    def consume() -> None:
        for _ in made(kind, server.url).stream(PROMPT):
            raise OfTheConsumer

    with FaultServer(ENDLESS) as server:
        with pytest.raises(OfTheConsumer) as caught:
            consume()
        caught.value.__traceback__ = None  # it holds the generator
        server.wait_for_hang_up()
        assert len(server.requests) == 1


@every_kind
async def test_a_consumer_raises_in_a_loop(kind: str) -> None:
    """F113."""
    with FaultServer(ENDLESS) as server:
        asker = made(kind, server.url)

        async def consume() -> None:
            stream = asker.astream(PROMPT)
            try:
                async for _ in stream:
                    raise OfTheConsumer
            finally:
                await stream.aclose()  # type: ignore[attr-defined] # it is a generator

        with pytest.raises(OfTheConsumer):
            await consume()
        await asyncio.to_thread(server.wait_for_hang_up)
        await asker.aclose()


# Leaving early


@every_kind
def test_leaving_a_stream(kind: str) -> None:
    """F101, F102: closed, or dropped; either ends the answer at once."""
    with FaultServer(ENDLESS) as server:
        asker = made(kind, server.url)
        stream = asker.stream(PROMPT)
        next(stream)
        left = time.monotonic()
        if hasattr(stream, "close"):
            stream.close()
        del stream
        assert server.wait_for_hang_up() - left < 1
        server.hung_up.clear()
        for _ in asker.stream(PROMPT):
            break
        server.wait_for_hang_up()
        server.wait_until_closed()


@pytest.mark.parametrize("close", [True, False], ids=["aclose", "dropped"])
@every_kind
async def test_leaving_a_stream_of_a_loop(kind: str, *, close: bool) -> None:
    """F101, F102."""
    with FaultServer(ENDLESS) as server:
        asker = made(kind, server.url)
        stream = asker.astream(PROMPT)
        await anext(stream)
        if close:
            await stream.aclose()  # type: ignore[attr-defined] # it is a generator
        del stream
        await asyncio.to_thread(server.wait_for_hang_up)
        await asker.aclose()
        await asyncio.to_thread(server.wait_until_closed)


async def cancelled_by_timeout(ask: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(ask(), 0.15)


async def cancelled_by_scope(ask: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    with anyio.move_on_after(0.15) as scope:
        await ask()
        pytest.fail("the cancellation was swallowed")
    assert scope.cancelled_caught


async def cancelled_by_sibling(ask: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    async def fail() -> None:
        await anyio.sleep(0.15)
        raise OfTheConsumer

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            group.start_soon(fail)

    with pytest.raises(Exception, match="TaskGroup") as caught:
        await both()
    errors: Any = caught.value
    assert [type(error) for error in errors.exceptions] == [OfTheConsumer]


async def cancelled_plainly(ask: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    task = asyncio.ensure_future(ask())
    await asyncio.sleep(0.15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


WAYS = {
    "cancel": cancelled_plainly,
    "timeout": cancelled_by_timeout,
    "scope": cancelled_by_scope,
    "sibling": cancelled_by_sibling,
}
PHASES: dict[str, tuple[Script, dict[str, Any]]] = {
    "headers": ([stall], {}),
    "stream": (ENDLESS, {}),
    "back-off": (
        answer(b"{}", "503 Service Unavailable"),
        {"max_retries": 5, "retry_delay": 60, "max_retry_delay": 60},
    ),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("way", WAYS)
@every_kind
async def test_cancelling(kind: str, way: str, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F104, F105: at once, not swallowed, nothing left."""
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    script, settings = PHASES[phase]
    with FaultServer(script) as server:
        asker = made(kind, server.url, **settings)
        before = asyncio.all_tasks()
        started = time.monotonic()
        ask = (lambda: all_of(asker.astream(PROMPT))) if phase == "stream" else (lambda: asker.aask(PROMPT))
        await WAYS[way](ask)
        assert time.monotonic() - started < 10
        if phase != "back-off":
            await asyncio.to_thread(server.wait_for_hang_up)
        assert len(server.requests) == 1
        await asker.aclose()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("scheme", ["http", "https"])
@every_kind
async def test_cancelling_while_connecting(kind: str, scheme: str, full_listener: str) -> None:
    """F104: while TCP, or TLS, is on its way."""
    greeting = [stall] if scheme == "https" else []
    with FaultServer([stall], greeting=greeting) as server:
        url = full_listener if scheme == "http" else f"https://127.0.0.1:{server.port}"
        asker = made(kind, url, verify=False) if scheme == "https" else made(kind, url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the certificate that is not verified
            await cancelled_plainly(lambda: asker.aask(PROMPT))
        await asker.aclose()
        if scheme == "https":
            await asyncio.to_thread(server.wait_for_hang_up)


@pytest.fixture
def full_listener() -> Iterator[str]:
    """A port whose queue is full, so that a connection stays on its way."""
    import socket  # noqa: PLC0415 - only here

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.settimeout(0)
        with suppress(BlockingIOError):
            sock.connect(listener.getsockname())
        waiting.append(sock)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    for sock in [listener, *waiting]:
        sock.close()


async def test_cancelling_the_close(echo: Echo) -> None:
    """F104: a close that was cancelled can be finished, and the client goes on."""
    asker = Core(echo.url)
    assert await asker.aask("a") == "a"
    task = asyncio.ensure_future(asker.aclose())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await asker.aask("b") == "b"
    await asker.aclose()
