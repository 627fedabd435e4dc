"""Connections are kept while they serve, closed when they do not, and never shared with whom they are not for."""

import asyncio
import gc
import multiprocessing
import os
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection as Pipe

import httpx
import httpx2
import pytest
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConnectionFailedError, RequestTimeoutError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.http import AsyncTransport, Transport

from tests.connect.transport.conftest import ASK, CHAT, Carry, aover, deadlines, over
from tests.faults.server import (
    END,
    STREAM_HEAD,
    FaultServer,
    Script,
    answer,
    chunk,
    close,
    event,
    forever,
    head,
    reset,
    send,
    stall,
    stream,
    wait,
)

HI = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(answer({"version": "0.32.0"})) as server:
        yield server


def config(server: FaultServer, **settings: object) -> VllmConfig:
    return VllmConfig(base_url=server.url, **{"timeout": 5, **settings})


async def asked(server: FaultServer) -> None:
    """Wait until a request has come."""
    while not server.requests:  # noqa: ASYNC110 - the server is in a thread
        await asyncio.sleep(0.001)


def test_kept(carry: Carry, server: FaultServer) -> None:
    got = carry(config(server), ASK, ASK, ASK)
    assert got.body == b'{"version": "0.32.0"}'
    assert (len(server.requests), server.connections) == (3, 1)
    server.wait_until_closed()


def test_kept_after_a_stream_that_was_left_at_its_last_event(carry: Carry) -> None:
    script = [*stream(HI, done=False), send(event("[DONE]")), wait(0.01), send(END)]
    with FaultServer(script) as server:
        carry(config(server), CHAT, CHAT, until=b"[DONE]")
        assert (len(server.requests), server.connections) == (2, 1)


AFTER_THE_LAST: dict[str, Script] = {
    "no end": [*stream(HI, done=False), send(event("[DONE]")), stall],
    "more data": [*stream(HI, done=False), send(event("[DONE]")), wait(0.01), forever(event(HI), 0.001)],
    "more bytes": [*stream(HI, done=False), wait(0.02), send(event("[DONE]") + END + b"surplus")],
    "told so": [send(head(headers={"content-length": "2", "connection": "close"}) + b"{}"), stall],
    "no length": [send(head(headers={"content-type": "text/event-stream"}) + b"data: [DONE]\n\n"), close],
}


@pytest.mark.parametrize("script", AFTER_THE_LAST.values(), ids=AFTER_THE_LAST)
def test_not_kept(carry: Carry, script: Script) -> None:
    with FaultServer(script) as server:
        carry(config(server), CHAT, CHAT, until=b"[DONE]")
        assert (len(server.requests), server.connections) == (2, 2)
        server.wait_until_closed()


def test_expired(carry: Carry, server: FaultServer) -> None:
    carry(config(server, keepalive_expiry=0), ASK, ASK)
    assert server.connections == 2


@pytest.mark.parametrize("ending", [close, reset])
def test_closed_while_waiting_costs_nothing(carry: Carry, ending: object) -> None:
    """The server closes the connection that waited just when the next request comes: it is sent again, once."""
    with FaultServer(answer(b"1"), [ending], answer(b"2")) as server:  # type: ignore[list-item] # an action
        assert carry(config(server), ASK, CHAT).body == b"2"
        assert [request.connection for request in server.requests] == [0, 0, 1]


def test_closed_in_the_answer_is_a_failure(carry: Carry) -> None:
    with FaultServer(answer(b"1"), [send(b"HTTP/1.1 200"), close]) as server:
        with pytest.raises(ConnectionFailedError):
            carry(config(server), ASK, CHAT)
        assert len(server.requests) == 2


def test_left_early() -> None:
    """Leaving with an exception hangs up at once."""
    with FaultServer([send(STREAM_HEAD), forever(event(HI), 0.01)]) as server:
        transport = Transport(config(server))
        with suppress(KeyError), transport.open(CHAT, deadlines(config(server))) as reply:
            next(iter(reply))
            raise KeyError
        server.wait_for_hang_up()


async def test_left_early_by_a_loop() -> None:
    with FaultServer([send(STREAM_HEAD), forever(event(HI), 0.01)]) as server:
        transport = AsyncTransport(config(server))
        with suppress(KeyError):
            async with transport.open(CHAT, deadlines(config(server))) as reply:
                await anext(aiter(reply))
                raise KeyError
        await asyncio.to_thread(server.wait_for_hang_up)
        await transport.aclose()


@pytest.mark.parametrize(
    "script",
    [[stall], [send(STREAM_HEAD), stall], [send(STREAM_HEAD + event(HI)), forever(event(HI), 0.01)]],
    ids=["before the head", "before data", "in the stream"],
)
async def test_cancelled(script: Script) -> None:
    with FaultServer(script) as server:
        transport = AsyncTransport(config(server))
        task = asyncio.ensure_future(aover(transport, config(server), (CHAT,)))
        await asked(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_for_hang_up)
        await transport.aclose()


async def test_cancelled_by_another_while_a_timer_runs_out() -> None:
    """A cancellation from outside is never taken for our own timer's."""
    with FaultServer([stall]) as server:
        settings = config(server, timeout={"first_token": 0.1})
        task = asyncio.ensure_future(aover(AsyncTransport(settings), settings, (CHAT,)))
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().call_later(0.05, task.cancel)
        with pytest.raises((asyncio.CancelledError, RequestTimeoutError)) as caught:
            await task
        assert task.cancelled() == isinstance(caught.value, asyncio.CancelledError)


async def test_cancelled_while_all_connections_are_used() -> None:
    """After a storm of cancellations the pool serves as before."""
    with FaultServer([wait(0.01), *answer()]) as server:
        settings = config(server, max_connections=4)
        transport = AsyncTransport(settings)

        async def ask() -> None:
            async with transport.open(CHAT, deadlines(settings)) as reply:
                assert [piece async for piece in reply] == [b"{}"]

        for turn in range(10):
            tasks = [asyncio.ensure_future(ask()) for _ in range(16)]
            await asyncio.sleep(0.002 * turn)
            for task in tasks[::2] + tasks[1::4]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        before = server.connections
        for _ in range(10):
            await ask()
        assert server.connections - before <= 1
        assert server.open_connections <= 4
        await transport.aclose()


def test_pool_is_full() -> None:
    with FaultServer([send(STREAM_HEAD + event(HI)), stall]) as server, ExitStack() as stack:
        settings = config(server, max_connections=2, timeout={"pool": 0.2})
        transport = Transport(settings)
        for _ in range(2):
            next(iter(stack.enter_context(transport.open(CHAT, deadlines(settings)))))
        with pytest.raises(RequestTimeoutError, match=r"all 2 connections are in use.*max_connections") as caught:
            over(transport, settings, (CHAT,))
        assert (caught.value.phase, caught.value.retryable, len(server.requests)) == ("pool", False, 2)


async def test_pool_of_a_loop_is_full() -> None:
    with FaultServer([send(STREAM_HEAD + event(HI)), stall]) as server:
        settings = config(server, max_connections=1, timeout={"pool": 0.2})
        transport = AsyncTransport(settings)
        holder = asyncio.ensure_future(aover(transport, settings, (CHAT,)))
        await asked(server)
        with pytest.raises(RequestTimeoutError, match=r"all 1 connections are in use.*max_connections") as caught:
            await aover(transport, settings, (CHAT,))
        assert (caught.value.phase, caught.value.retryable, len(server.requests)) == ("pool", False, 1)
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
        await transport.aclose()


@pytest.mark.usefixtures("frequent_thread_switches")
def test_pool_is_waited_for() -> None:
    """More threads than connections, all of them the first: all are served, and by no more connections."""
    for _ in range(20):
        with FaultServer(answer({"version": "0.32.0"})) as server:
            bodies = crowd(config(server, max_connections=2, keepalive_expiry=60))
        assert bodies == [b'{"version": "0.32.0"}'] * 40
        assert server.connections <= 2


def crowd(settings: VllmConfig) -> list[bytes]:
    """Ask five times in each of eight threads that begin at once."""
    transport = Transport(settings)
    bodies: list[bytes] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        for _ in range(5):
            with transport.open(ASK, deadlines(settings)) as reply:
                bodies.append(b"".join(reply))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()
    return bodies


def test_loop_after_loop_and_thread_beside_thread(server: FaultServer) -> None:
    settings = config(server)
    transport = AsyncTransport(settings)
    bodies: list[bytes] = []

    async def ask() -> None:
        async def one() -> None:
            async with transport.open(ASK, deadlines(settings)) as reply:
                bodies.append(b"".join([piece async for piece in reply]))

        await asyncio.gather(*(one() for _ in range(4)))

    def run() -> None:
        for _ in range(5):
            asyncio.run(ask())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 160
    server.wait_until_closed()
    gc.collect()


def test_loop_that_was_only_closed(server: FaultServer) -> None:
    """A loop that never shut its generators down leaves a session behind, which the next loop clears away."""
    settings = config(server)
    transport = AsyncTransport(settings)

    async def ask() -> int:
        async with transport.open(ASK, deadlines(settings)) as reply:
            return sum([len(piece) async for piece in reply])

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(ask()) == 21
    loop.close()
    assert asyncio.run(ask()) == 21
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio's own, of the socket that the loop left open
        gc.collect()


def test_stream_open_when_the_loop_ends() -> None:
    """The loop closes the caller's generators, and with them the answer."""
    with FaultServer([send(STREAM_HEAD + event(HI)), stall]) as server:
        settings = config(server)
        transport = AsyncTransport(settings)

        async def pieces() -> AsyncIterator[bytes]:
            async with transport.open(CHAT, deadlines(settings)) as reply:
                async for piece in reply:
                    yield piece

        held = [pieces()]

        async def leave() -> None:
            assert await anext(held[0])

        asyncio.run(leave())
        server.wait_for_hang_up()
        held.clear()
        gc.collect()


def test_forgotten_transport(server: FaultServer) -> None:
    """Nobody closes anything, and nothing warns."""
    settings = config(server)
    transport = Transport(settings)
    with transport.open(ASK, deadlines(settings)) as reply:
        assert b"".join(reply)
    del transport, reply
    gc.collect()
    server.wait_until_closed()


def _ask_from_child(transport: Transport, settings: VllmConfig, pipe: Pipe) -> None:
    with transport.open(HttpRequest("GET", f"/{os.getpid()}"), deadlines(settings)) as reply:
        pipe.send((os.getpid(), b"".join(reply)))
    transport.close()
    pipe.close()


def _ask_from_child_loop(transport: AsyncTransport, settings: VllmConfig, pipe: Pipe) -> None:
    async def ask() -> None:
        async with transport.open(HttpRequest("GET", f"/{os.getpid()}"), deadlines(settings)) as reply:
            pipe.send((os.getpid(), b"".join([piece async for piece in reply])))

    asyncio.run(ask())
    pipe.close()


def test_fork(server: FaultServer) -> None:
    """A child has its own connections, and the parent keeps its own."""
    settings = config(server)
    transport = Transport(settings)
    over_kept = [HttpRequest("GET", "/parent")]
    with transport.open(ASK, deadlines(settings)) as reply:
        assert b"".join(reply)
    ours, theirs = multiprocessing.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the server's threads, and a fork beside them
        child = multiprocessing.get_context("fork").Process(target=_ask_from_child, args=(transport, settings, theirs))
        child.start()
    pid, body = ours.recv()
    child.join()
    over(transport, settings, tuple(over_kept))
    assert body == b'{"version": "0.32.0"}'
    assert [(request.target, request.connection) for request in server.requests] == [
        ("/version", 0),
        (f"/{pid}", 1),
        ("/parent", 0),
    ]


async def test_fork_of_a_loop(server: FaultServer) -> None:
    settings = config(server)
    transport = AsyncTransport(settings)

    async def ask(path: str) -> None:
        async with transport.open(HttpRequest("GET", path), deadlines(settings)) as reply:
            assert [piece async for piece in reply]

    await ask("/version")
    pid = await asyncio.to_thread(_fork_and_ask, transport, settings)
    await ask("/parent")
    assert [(request.target, request.connection) for request in server.requests] == [
        ("/version", 0),
        (f"/{pid}", 1),
        ("/parent", 0),
    ]
    await transport.aclose()


def _fork_and_ask(transport: AsyncTransport, settings: VllmConfig) -> int:
    ours, theirs = multiprocessing.Pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the server's threads, and a fork beside them
        child = multiprocessing.get_context("fork").Process(
            target=_ask_from_child_loop, args=(transport, settings, theirs)
        )
        child.start()
    pid, body = ours.recv()
    child.join()
    assert body == b'{"version": "0.32.0"}'
    return int(pid)


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_client_of_the_caller_is_never_closed(server: FaultServer, module: object) -> None:
    with module.Client() as client:  # type: ignore[attr-defined] # either module has it
        over(Transport(config(server), client), config(server), (ASK,))
        assert not client.is_closed
        over(Transport(config(server), client), config(server), (ASK,))
    assert server.connections == 1


def test_closed_client_of_the_caller(server: FaultServer) -> None:
    client = httpx.Client()
    client.close()
    with pytest.raises(ValueError, match="closed"):
        over(Transport(config(server), client), config(server), (ASK,))


def test_pieces_that_came_together_stay_together(carry: Carry) -> None:
    events = b"".join(chunk(b"data: %d\n\n" % n) for n in range(100))
    with FaultServer([send(STREAM_HEAD), wait(0.05), send(events), wait(0.05), send(END)]) as server:
        assert len(carry(config(server), CHAT).pieces) == 1
