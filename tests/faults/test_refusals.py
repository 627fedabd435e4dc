"""A server that refuses half of all requests, and calls that end right all the same, with the default settings."""

import asyncio
import random

import pytest
from vllm_connect import VllmConfig, VllmError
from vllm_connect.transport.retry import RetryPolicy

from tests.faults.replies import error, piece, whole
from tests.faults.server import Action, Connection, FaultServer, answer, stream
from tests.faults.ways import Caller

CALLS = 200
AT_ONCE = 64


def half(way: str, status: str, headers: dict[str, str]) -> Action:
    """Refuse every other request at random."""
    chance = random.Random(7)  # noqa: S311 - repeatable, no secret
    fine = stream(piece(content="Hi"), piece("stop")) if way.endswith("stream") else answer(whole("Hi"))
    refusal = answer(error("busy", int(status[:3])), status, headers)

    def act(connection: Connection) -> None:
        for action in refusal if chance.random() < 0.5 else fine:
            action(connection)

    return act


async def crowd(call: Caller) -> int:
    """Call many times, some at a time, and count the calls that end right."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> bool:
        async with room:
            try:
                return (await call.acall()).text == "Hi"
            except VllmError:
                return False

    return sum(await asyncio.gather(*(one() for _ in range(CALLS))))


@pytest.fixture
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits before retries, whose number is what counts here."""
    wait = RetryPolicy.delay
    monkeypatch.setattr(
        "vllm_connect.transport.retry.RetryPolicy.delay",
        lambda *given: None if (seconds := wait(*given)) is None else seconds / 100,
    )


@pytest.mark.usefixtures("quick_waits")
@pytest.mark.parametrize("headers", [{}, {"retry-after": "1"}], ids=["", "with Retry-After"])
@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
def test_calls_end_right_though_half_of_all_requests_are_refused(
    kind: str, way: str, status: str, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    retries = VllmConfig.model_fields["max_retries"].get_default(call_default_factory=True)
    with (
        FaultServer([half(way, status, headers)]) as server,
        Caller(kind, server.url, way, max_retries=retries) as call,
    ):
        right = call.run(crowd(call)) if call.is_async else sum(answered(call) for _ in range(CALLS))
        with capsys.disabled():
            print(f"\n{kind}, {way}, {status[:3]}{', Retry-After' * bool(headers)}: ", end="")
            print(f"{right / CALLS:.1%} right, {len(server.requests) / CALLS:.2f} requests a call")
    assert right >= 0.95 * CALLS
    assert len(server.requests) < 2.2 * CALLS


def answered(call: Caller) -> bool:
    try:
        return call().text == "Hi"
    except VllmError:
        return False
