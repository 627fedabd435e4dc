"""The same request over every way there is to carry it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import httpx
import httpx2
import pytest
from vllm_connect.config.config import VllmConfig, timeouts_of
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.http import AsyncTransport, Transport
from vllm_connect.transport.reply import AsyncReply, Reply

ASK = HttpRequest("GET", "/version")
CHAT = HttpRequest("POST", "/v1/chat/completions", b'{"messages": []}', streaming=True)


class Got(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


class Carry(Protocol):
    """Sends requests one after the other over one transport; the last answer is returned."""

    def __call__(
        self,
        config: VllmConfig,
        *requests: HttpRequest,
        data: Callable[[bytes], bool] = ...,
        until: bytes | None = None,
    ) -> Got: ...


def any_data(piece: bytes) -> bool:
    """Take everything for progress that is no comment."""
    return not piece.startswith(b":")


def deadlines(config: VllmConfig) -> Deadlines:
    return Deadlines(timeouts_of(config), time.monotonic())


def blocking(
    config: VllmConfig, *requests: HttpRequest, data: Callable[[bytes], bool] = any_data, until: bytes | None = None
) -> Got:
    return over(Transport(config), config, requests, data, until)


def over(
    transport: Transport,
    config: VllmConfig,
    requests: tuple[HttpRequest, ...],
    data: Callable[[bytes], bool] = any_data,
    until: bytes | None = None,
) -> Got:
    got = Got(0, {}, [])
    for request in requests:
        clock = deadlines(config)
        with transport.open(request, clock) as reply:
            got = read(reply, clock, data, until)
    transport.close()
    return got


def read(reply: Reply, clock: Deadlines, data: Callable[[bytes], bool], until: bytes | None) -> Got:
    got = Got(reply.status, dict(reply.headers), [])
    for piece in reply:
        got.pieces.append(piece)
        if data(piece):
            clock.progress(time.monotonic())
        if until is not None and until in got.body:
            break
    return got


def looped(
    config: VllmConfig, *requests: HttpRequest, data: Callable[[bytes], bool] = any_data, until: bytes | None = None
) -> Got:
    return asyncio.run(aover(AsyncTransport(config), config, requests, data, until))


async def aover(
    transport: AsyncTransport,
    config: VllmConfig,
    requests: tuple[HttpRequest, ...],
    data: Callable[[bytes], bool] = any_data,
    until: bytes | None = None,
) -> Got:
    got = Got(0, {}, [])
    for request in requests:
        clock = deadlines(config)
        async with transport.open(request, clock) as reply:
            got = await aread(reply, clock, data, until)
    await transport.aclose()
    return got


async def aread(reply: AsyncReply, clock: Deadlines, data: Callable[[bytes], bool], until: bytes | None) -> Got:
    got = Got(reply.status, dict(reply.headers), [])
    async for piece in reply:
        got.pieces.append(piece)
        if data(piece):
            clock.progress(time.monotonic())
        if until is not None and until in got.body:
            break
    return got


def through(module: Any) -> Carry:
    """Carry over a caller's own blocking client."""

    def carry(
        config: VllmConfig, *requests: HttpRequest, data: Callable[[bytes], bool] = any_data, until: bytes | None = None
    ) -> Got:
        with module.Client(trust_env=False) as client:
            return over(Transport(config, client), config, requests, data, until)

    return carry


def athrough(module: Any) -> Carry:
    """Carry over a caller's own asynchronous client."""

    def carry(
        config: VllmConfig, *requests: HttpRequest, data: Callable[[bytes], bool] = any_data, until: bytes | None = None
    ) -> Got:
        async def run() -> Got:
            async with module.AsyncClient(trust_env=False) as client:
                return await aover(AsyncTransport(config, client), config, requests, data, until)

        return asyncio.run(run())

    return carry


def routed(carry: Carry) -> Carry:
    """Carry through httpx with clients of our own."""

    def through_httpx(config: VllmConfig, *requests: HttpRequest, **options: Any) -> Got:
        return carry(config.model_copy(update={"transport": "httpx"}), *requests, **options)

    return through_httpx


OWN: dict[str, Carry] = {"blocking": blocking, "looped": looped}
ROUTED: dict[str, Carry] = {"blocking-routed": routed(blocking), "looped-routed": routed(looped)}
ANY: dict[str, Carry] = {
    **OWN,
    **ROUTED,
    "httpx": through(httpx),
    "httpx-async": athrough(httpx),
    "httpx2": through(httpx2),
    "httpx2-async": athrough(httpx2),
}


@pytest.fixture(params=OWN)
def carry(request: pytest.FixtureRequest) -> Carry:
    """Our own transports, blocking and not."""
    return OWN[request.param]


@pytest.fixture(params=ROUTED)
def carry_routed(request: pytest.FixtureRequest) -> Carry:
    """Our own clients of httpx, blocking and not."""
    return ROUTED[request.param]


@pytest.fixture(params=ANY)
def carry_any(request: pytest.FixtureRequest) -> Carry:
    """Our own transports and those of callers."""
    return ANY[request.param]
