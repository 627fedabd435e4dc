"""Hostile byte streams over real sockets: both shells come to the verdict of the parser, which other parsers witness.

`make hostile` sends forty times as many.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import TransportError, VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.http import AsyncTransport, Transport
from vllm_connect.transport.http1 import MalformedResponseError, ResponseParser

from tests.connect.transport.conftest import deadlines
from tests.connect.transport.hostile import CUT, REFUSED, Verdict, responses
from tests.fuzzing import FACTOR

STREAMS = 500 * FACTOR
"""Of one seed of those with which the parser is compared with its witnesses."""
AT_ONCE = 8
UNWANTED = "unwanted"
"""An answer that HTTP allows and no call can use: a redirect, no content, an encoding that was not accepted."""


class Hostile:
    """A server that answers `GET /5` with the sixth byte stream, in pieces, and closes the connection."""

    def __init__(self, streams: list[bytes]) -> None:
        self._streams = streams
        self._chance = random.Random(3)  # noqa: S311 - repeatable, no secret
        self.url = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        line = await reader.readuntil(b"\r\n\r\n")
        data = self._streams[int(line.split()[1][1:])]
        at = self._chance.randrange(len(data) + 1) if self._chance.random() < 0.3 else 0
        for piece in (data[:at], data[at:]):
            writer.write(piece)
            await asyncio.sleep(0)
        writer.close()


@pytest.fixture
def hostile() -> Iterator[tuple[list[bytes], str]]:
    streams = [data for data in responses(STREAMS, seed=0) if data]
    server = Hostile(streams)
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(server.talk, "127.0.0.1", 0, backlog=512))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield streams, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    loop.call_soon_threadsafe(listening.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def settings(url: str) -> VllmConfig:
    return VllmConfig(base_url=url, keepalive_expiry=0, timeout=30)


def asked(at: int) -> HttpRequest:
    return HttpRequest("GET", f"/{at}")


def verdict_of_error(error: VllmError) -> str:
    if error.code == "bad_http":
        return REFUSED
    return CUT if isinstance(error, TransportError) else UNWANTED


def blocking_verdicts(count: int, url: str) -> list[Verdict]:
    config = settings(url)
    transport = Transport(config)

    def one(at: int) -> Verdict:
        try:
            with transport.open(asked(at), deadlines(config)) as reply:
                return reply.status, b"".join(reply)
        except VllmError as error:
            return verdict_of_error(error)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, range(count)))


async def awaited_verdicts(count: int, url: str) -> list[Verdict]:
    config = settings(url)
    transport = AsyncTransport(config)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(at: int) -> Verdict:
        async with room:
            try:
                async with transport.open(asked(at), deadlines(config)) as reply:
                    return reply.status, b"".join([piece async for piece in reply])
            except VllmError as error:
                return verdict_of_error(error)

    return list(await asyncio.gather(*(one(at) for at in range(count))))


def verdict(data: bytes) -> Verdict:
    """Read a response with the parser alone, and judge its head as a reply does."""
    parser, problem = ResponseParser(), False
    try:
        parser.feed(data)
    except MalformedResponseError:
        problem = True
    head = parser.head
    if head is not None:
        unwanted = head.status in (204, 205, 206) or 300 <= head.status < 400
        if unwanted or head.headers.get("content-encoding", "identity").strip().lower() != "identity":
            return UNWANTED
    if problem:
        return REFUSED
    body = parser.take()
    return (head.status, body) if parser.feed_eof() and head else CUT


def test_both_shells_come_to_the_verdict_of_the_parser(hostile: tuple[list[bytes], str]) -> None:
    streams, url = hostile
    blocking, awaited = blocking_verdicts(len(streams), url), asyncio.run(awaited_verdicts(len(streams), url))
    expected = [verdict(data) for data in streams]
    for verdicts in (blocking, awaited):  # which of two errors comes first depends on the pieces in which they come
        verdicts[:] = [
            UNWANTED if wanted == UNWANTED and isinstance(got, str) else got
            for wanted, got in zip(expected, verdicts, strict=True)
        ]
    wrong = [each for each in zip(streams, expected, blocking, awaited, strict=True) if len({*map(repr, each[1:])}) > 1]
    assert wrong == []
    kinds = Counter(each if isinstance(each, str) else "answer" for each in expected)
    assert min(kinds[kind] for kind in (REFUSED, CUT, UNWANTED, "answer")) > len(streams) / 100, kinds
