"""What each client keeps to in all four ways, on both routes: whose answer is whose, and what a failure is."""

import asyncio
import gc
import json
import os
import socket
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import httpx2
import numpy as np
import pytest
from vllm_connect import BadRequestError, ConfigurationError, ProtocolError, RequestTimeoutError, VllmError
from vllm_connect.transport.resolver import _lookups

from tests.faults.clients import CLIENTS
from tests.faults.echo import Echo
from tests.faults.replies import error, piece, whole
from tests.faults.server import (
    Action,
    Connection,
    FaultServer,
    Script,
    answer,
    close,
    head,
    read_some,
    send,
    stall,
    stream,
    wait,
)
from tests.faults.ways import Caller


def reply(way: str, text: str) -> Script:
    """Write a right answer, streamed where that is asked for."""
    return stream(piece(content=text), piece("stop")) if way.endswith("stream") else answer(whole(text))


def joined(script: Script) -> bytes:
    """Return what a script sends."""
    sent: list[bytes] = []
    for action in script:
        action(Sent(sent))  # type: ignore[arg-type]  # all that `send` uses
    return b"".join(sent)


class Sent:
    """A connection that keeps what is sent."""

    def __init__(self, sent: list[bytes]) -> None:
        self.send = sent.append


POISON = joined(answer(whole("poison"))), joined(stream(piece(content="poison"), piece("stop")))
IDLE_TIMEOUT = head("408 Request Timeout", {"connection": "close", "content-length": "0"})


def unsolicited(way: str) -> dict[str, Script]:
    """Write answers after which bytes come that no request asked for."""
    first, poison = reply(way, "one"), POISON[way.endswith("stream")]
    return {
        "together": [send(joined(first) + poison)],
        "late": [*first, wait(0.02), send(poison)],
        "a part": [*first, wait(0.02), send(poison[:30])],
        "an error, and the end": [*first, wait(0.02), send(IDLE_TIMEOUT), close],
    }


@pytest.mark.parametrize("what", unsolicited("call"))
def test_bytes_that_no_request_asked_for_answer_none(kind: str, way: str, route: str, what: str) -> None:
    with (
        FaultServer(unsolicited(way)[what], reply(way, "two")) as server,
        Caller(kind, server.url, way, route) as call,
    ):
        assert call().text == "one"
        call.pause(0.06)
        assert [call().text, call().text] == ["two", "two"]
        assert len(server.requests) == 3


def test_a_408_that_crosses_a_request_is_not_its_answer(kind: str, way: str, route: str) -> None:
    crossing = [send(IDLE_TIMEOUT), close]
    with (
        FaultServer(reply(way, "one"), crossing, reply(way, "two")) as server,
        Caller(kind, server.url, way, route) as call,
    ):
        assert [call().text, call().text] == ["one", "two"]
        assert [request.connection for request in server.requests] == [0, 0, 1]


def test_calls_wait_for_room_and_none_is_lost(kind: str, way: str, route: str) -> None:
    prompts = [f"prompt {number}" for number in range(24)]
    with (
        FaultServer([wait(0.01), *reply(way, "Hi")]) as server,
        Caller(kind, server.url, way, route, max_connections=2, timeout={"first_token": 20, "connect": 5}) as call,
    ):
        assert [came.text for came in call.at_once(prompts)] == ["Hi"] * 24
        assert server.connections <= 2


@pytest.mark.parametrize("way", ["acall", "astream"])
def test_an_event_loop_that_is_blocked_is_not_a_dead_server(kind: str, way: str, route: str) -> None:
    """The answer comes in time, and the loop notices it long after the deadline."""
    with (
        FaultServer([wait(0.05), *reply(way, "Hi")]) as server,
        Caller(kind, server.url, way, route, timeout={"first_token": 1, "stall": 1}) as call,
    ):

        async def blocked() -> str:
            calling = asyncio.ensure_future(call.acall())
            while not server.requests:  # noqa: ASYNC110 - the server is in a thread
                await asyncio.sleep(0.001)
            time.sleep(1.3)  # noqa: ASYNC251 - what is tested
            return (await calling).text

        assert call.run(blocked()) == "Hi"


# Refusals

LARGE = "x" * 20_000_000
"""A prompt that does not fit into the network's buffers."""
TOO_LARGE = joined(answer(error("send less", 413), "413 Content Too Large", {"connection": "close"}))


def refused_early(*rest: Action) -> Action:
    """Refuse the first connection's request before it has come."""

    def act(connection: Connection) -> None:
        if connection.number == 0:
            for action in (read_some, send(TOO_LARGE), *rest):
                action(connection)

    return act


@pytest.mark.parametrize(
    "rest", [(stall,), (close,), (lambda _: time.sleep(0.3),)], ids=["reads on", "closes", "waits"]
)
def test_a_request_that_is_refused_while_it_is_sent_gets_that_answer(
    kind: str, way: str, route: str, rest: tuple[Action, ...]
) -> None:
    if route == "httpx" and rest != (stall,) and (rest != (close,) or way.startswith("a")):
        pytest.skip("httpx does not read while it sends, nor what came before a connection was reset")
    with (
        FaultServer(reply(way, "two"), greeting=[refused_early(*rest)]) as server,
        Caller(kind, server.url, way, route, timeout={"write": 10}) as call,
    ):
        with pytest.raises(BadRequestError, match="send less") as caught:
            call(LARGE)
        assert caught.value.status == 413
        assert call().text == "two"


REFUSED_ON_A_KEPT = [send(joined(answer(error("not you", 400), "400 Bad Request")))]


def test_a_connection_serves_again_after_a_refusal(kind: str, way: str, route: str) -> None:
    with (
        FaultServer(reply(way, "one"), REFUSED_ON_A_KEPT, reply(way, "two")) as server,
        Caller(kind, server.url, way, route) as call,
    ):
        assert call().text == "one"
        with pytest.raises(BadRequestError):
            call()
        assert call().text == "two"
        assert server.connections == 1


# What is sent and what comes


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["itself"] = value
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(3_000):
        value = [value]
    return value


VALUES: dict[str, Callable[[], Any]] = {
    "NaN": lambda: float("nan"),
    "Infinity": lambda: float("inf"),
    "bytes": lambda: b"bytes",
    "Decimal": lambda: Decimal("1.5"),
    "path": lambda: Path("a/b"),
    "numpy": lambda: np.float32(0.5),
    "object": object,
    "cycle": cyclic,
    "levels": deep,
}


def outcome(kind: str, way: str, value: Any) -> tuple[str, Any]:
    """Return what was sent for a value, or how it was refused."""
    with FaultServer(reply(way, "Hi")) as server, Caller(kind, server.url, way, extra_body={"given": value}) as call:
        try:
            call()
        except VllmError as problem:
            return type(problem).__name__, (problem.code, "given" in str(problem), len(server.requests))
        return "sent", json.loads(server.requests[0].body)["given"]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_sent_or_refused_alike_by_every_client(way: str, name: str) -> None:
    outcomes = [outcome(kind, way, VALUES[name]()) for kind in CLIENTS]
    assert outcomes == [outcomes[0]] * len(CLIENTS)
    assert outcomes[0][0] == "sent" or outcomes[0][1] == ("configuration", True, 0)


LOGPROBS: dict[str, Any] = {
    "text": "x",
    "number": 5,
    "list": [1],
    "content of text": {"content": "x"},
    "content of numbers": {"content": [1, None]},
    "token of a number": {"content": [{"token": 5, "logprob": "x", "top_logprobs": 3}]},
    "nested": {"content": [{"token": "Hi", "logprob": -1.0, "bytes": {}, "top_logprobs": [[]]}]},
    "of completions": {"tokens": ["Hi"], "token_logprobs": [None], "top_logprobs": [None], "text_offset": [0]},
}


@pytest.mark.parametrize("name", LOGPROBS)
def test_logprobs_of_any_shape_are_an_answer_or_an_error_of_ours(kind: str, way: str, name: str) -> None:
    said = piece("stop", content="Hi") if way.endswith("stream") else whole("Hi")
    said["choices"][0]["logprobs"] = LOGPROBS[name]
    script = stream(said) if way.endswith("stream") else answer(said)
    with FaultServer(script) as server, Caller(kind, server.url, way) as call, suppress(ProtocolError):
        assert call().text == "Hi"


def test_a_content_type_that_is_repeated_is_one(kind: str, way: str, route: str) -> None:
    data = joined(reply(way, "Hi"))
    line = data[data.index(b"content-type") :].partition(b"\r\n")[0] + b"\r\n"
    with FaultServer([send(data.replace(line, line * 2))]) as server, Caller(kind, server.url, way, route) as call:
        assert call().text == "Hi"


# Event loops


@pytest.mark.parametrize("way", ["acall", "astream"])
def test_event_loops_that_are_dropped_are_not_kept(kind: str, way: str, route: str, echo: Echo) -> None:
    """Each thread drops its loop without closing it, as scripts that run again and again do."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    with Caller(kind, echo.url, way, route) as call, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio's own, of the loops

        def rerun() -> None:
            loop = asyncio.new_event_loop()
            loops.append(weakref.ref(loop))
            assert loop.run_until_complete(call.acall("Hi")).text == "Hi"

        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
        for _ in range(30):
            thread = threading.Thread(target=rerun)
            thread.start()
            thread.join()
        gc.collect()
        assert [loop() for loop in loops if loop() is not None][1:] == []
        assert len(os.listdir("/proc/self/fd")) - before < 12  # noqa: PTH208 - the same
        gc.collect()


@pytest.mark.parametrize("way", ["acall", "astream"])
@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_client_of_the_caller_in_a_second_event_loop_names_the_cause(
    kind: str, way: str, module: Any, echo: Echo
) -> None:
    client = module.AsyncClient()
    with Caller(kind, echo.url, way, async_http_client=client) as call:
        assert call().text == "Hi"
        with pytest.raises(ConfigurationError, match=r"in another event loop before.*one for each event loop"):
            asyncio.run(call.acall())
        call.run(client.aclose())


# Deadlines


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the name `slow.test` take its time."""
    ended = threading.Event()
    resolve = socket.getaddrinfo

    def slowly(host: Any, *args: Any, **options: Any) -> Any:
        if host == "slow.test" and not options.get("flags"):
            ended.wait(20)
            return resolve("127.0.0.1", *args, **options)
        return resolve(host, *args, **options)

    monkeypatch.setattr("socket.getaddrinfo", slowly)
    yield
    ended.set()
    while _lookups:
        time.sleep(0.01)


@pytest.mark.usefixtures("slow_names")
@pytest.mark.parametrize(("timeout", "phase"), [({"connect": 0.2}, "connect"), ({"total": 0.2}, "total")])
def test_a_name_that_is_looked_up_slowly_ends_with_its_phase(
    kind: str, way: str, timeout: dict[str, float], phase: str
) -> None:
    with Caller(kind, "http://slow.test:9", way, timeout=timeout) as call:
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError) as caught:
            call()
        assert time.monotonic() - started < 3
    assert caught.value.phase == phase
