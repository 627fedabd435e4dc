"""What it costs to reach a server, by transport: `python tests/bench/transports.py [rounds]` prints the tables.

The server is a process of its own that sends ready bytes. Figures are process CPU time of the client in microseconds,
medians of interleaved rounds, with the distance of the quartiles in brackets:

- call: a request and its answer, 600 bytes of JSON;
- short stream: a request and a stream of 5 events;
- event in a burst: one of 5,000 events that come as fast as they can be read;
- event, paced: one of many that come one by one, over 64 streams at once where the transport does not block;
- call, 64 at once.

The last table is the one that decides between asynchronous transports at all: a pool of 10 connections serves 40 calls
at a time of which 70 % are cancelled, and then ten plain calls.
"""

import asyncio
import gc
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import urllib3
from httpx_aiohttp import HttpxAiohttpClient
from vllm_connect.config.config import VllmConfig, timeouts_of
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.http import AsyncTransport, Transport

EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}\n\n'
)
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
END = b"0\r\n\r\n"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 01:00:00 GMT\r\nserver: uvicorn\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
JSON_BODY = b'{"x":"' + b"a" * 600 + b'"}'
JSON_HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 01:00:00 GMT\r\nserver: uvicorn\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(JSON_BODY)
)
BODY = json.dumps({"messages": [{"role": "user", "content": "x" * 200}], "stream": True}).encode()
HEADERS = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "authorization": "Bearer sk",
    "user-agent": "b",
}
BURST = 5000
PACED = 50
STREAMS = 64
POOL = 10

Call = Callable[[str], int]
AsyncCall = Callable[[str], Awaitable[int]]


# The server


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer `/call`, `/burst/EVENTS` and `/paced/EVENTS/SECONDS`."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            await reader.readexactly(size)
            kind, *numbers = head.split(b" ", 2)[1].decode().strip("/").split("/")
            if kind == "burst":
                writer.write(STREAM_HEAD + CHUNK * int(numbers[0]) + END)
            elif kind == "paced":
                writer.write(STREAM_HEAD)
                for _ in range(int(numbers[0])):
                    writer.write(CHUNK)
                    await asyncio.sleep(float(numbers[1]))
                writer.write(END)
            else:
                writer.write(JSON_HEAD + JSON_BODY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve() -> None:
    """Serve on a free port, whose number is printed."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# The transports


def blocking(base: str) -> dict[str, Call]:
    """List the blocking transports."""
    config = VllmConfig(base_url=base, api_key="sk")
    timeouts = timeouts_of(config)
    ours = Transport(config)

    def own(path: str) -> int:
        with ours.open(HttpRequest("POST", path, BODY, streaming=True), Deadlines(timeouts, time.monotonic())) as reply:
            return sum(map(len, reply))

    def through(client: Any) -> Call:
        def call(path: str) -> int:
            with client.stream("POST", base + path, content=BODY, headers=HEADERS) as reply:
                return sum(map(len, reply.iter_raw()))

        return call

    pool = urllib3.PoolManager()

    def over_urllib3(path: str) -> int:
        reply = pool.request("POST", base + path, body=BODY, headers=HEADERS, preload_content=False, retries=False)
        size = sum(map(len, reply.stream(65536, decode_content=False)))
        reply.release_conn()
        return size

    return {
        "ours": own,
        "urllib3": over_urllib3,
        "httpx": through(httpx.Client()),
        "httpx2": through(httpx2.Client()),
    }


def looped(base: str, limit: int) -> tuple[dict[str, AsyncCall], list[Callable[[], Awaitable[None]]]]:
    """List the transports that do not block, and how to close them."""
    config = VllmConfig(base_url=base, api_key="sk", max_connections=limit)
    timeouts = timeouts_of(config)
    ours = AsyncTransport(config)

    async def own(path: str) -> int:
        deadlines = Deadlines(timeouts, time.monotonic())
        async with ours.open(HttpRequest("POST", path, BODY, streaming=True), deadlines) as reply:
            return sum([len(piece) async for piece in reply])

    def through(client: Any) -> AsyncCall:
        async def call(path: str) -> int:
            async with client.stream("POST", base + path, content=BODY, headers=HEADERS) as reply:
                return sum([len(piece) async for piece in reply.aiter_raw()])

        return call

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit), auto_decompress=False)

    async def over_aiohttp(path: str) -> int:
        async with session.request("POST", base + path, data=BODY, headers=HEADERS) as reply:
            return sum([len(piece) async for piece in reply.content.iter_any()])

    plain = httpx.AsyncClient(limits=httpx.Limits(max_connections=limit), timeout=2)
    newer = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=limit), timeout=2)
    mixed = HttpxAiohttpClient(limits=httpx.Limits(max_connections=limit), timeout=2)
    calls: dict[str, AsyncCall] = {
        "ours": own,
        "aiohttp alone": over_aiohttp,
        "httpx over aiohttp": through(mixed),
        "httpx": through(plain),
        "httpx2": through(newer),
    }
    return calls, [ours.aclose, session.close, plain.aclose, newer.aclose, mixed.aclose]


# The measurements


def cost(call: Call, path: str, times: int) -> float:
    """Measure microseconds of CPU time a call."""
    call(path)
    started = time.process_time()
    for _ in range(times):
        call(path)
    return (time.process_time() - started) / times * 1e6


async def async_cost(call: AsyncCall, path: str, times: int, at_once: int = 1) -> float:
    """Measure microseconds of CPU time a call."""
    await asyncio.gather(*(call(path) for _ in range(at_once)))
    started = time.process_time()
    for _ in range(times):
        await asyncio.gather(*(call(path) for _ in range(at_once)))
    return (time.process_time() - started) / times / at_once * 1e6


def measure(call: Call) -> dict[str, float]:
    """Measure one blocking transport once."""
    return {
        "call": cost(call, "/call", 40),
        "short stream": cost(call, "/burst/5", 40),
        "event in a burst": cost(call, f"/burst/{BURST}", 2) / BURST,
        "event, paced": cost(call, f"/paced/{PACED}/0.001", 1) / PACED,
    }


async def async_measure(call: AsyncCall) -> dict[str, float]:
    """Measure one other transport once."""
    return {
        "call": await async_cost(call, "/call", 40),
        "short stream": await async_cost(call, "/burst/5", 40),
        "event in a burst": await async_cost(call, f"/burst/{BURST}", 2) / BURST,
        "event, paced": await async_cost(call, f"/paced/{PACED}/0.02", 1, STREAMS) / PACED,
        "call, 64 at once": await async_cost(call, "/call", 3, STREAMS),
    }


async def survivors(call: AsyncCall) -> int:
    """Cancel many calls under contention, and count how many of ten plain ones are answered afterwards."""
    rng = random.Random(1)  # noqa: S311 - the same storm for everyone
    for _ in range(60):
        tasks = [asyncio.ensure_future(call("/call")) for _ in range(4 * POOL)]
        for task in tasks:
            if rng.random() < 0.7:
                asyncio.get_running_loop().call_later(rng.random() * 0.02, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
    plain = (asyncio.wait_for(call("/call"), 3) for _ in range(10))
    return sum(isinstance(answer, int) for answer in await asyncio.gather(*plain, return_exceptions=True))


def table(title: str, rows: dict[str, list[dict[str, float]]]) -> None:
    """Print medians and the distance of the quartiles."""
    columns = list(next(iter(rows.values()))[0])
    print(f"\n{title:22}" + "".join(f"{column:>20}" for column in columns))
    for name, rounds in rows.items():
        cells = []
        for column in columns:
            values = [each[column] for each in rounds]
            low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
            cells.append(f"{middle:.2f} [{high - low:.2f}]" if middle < 100 else f"{middle:.0f} [{high - low:.0f}]")
        print(f"{name:22}" + "".join(f"{cell:>20}" for cell in cells))


async def async_rounds(base: str, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Measure all transports that do not block, in turn."""
    calls, closers = looped(base, 256)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect()
            rows[name].append(await async_measure(call))
    for close in closers:
        await close()
    return rows


async def storm(base: str) -> dict[str, int]:
    """Run the cancellation check."""
    calls, closers = looped(base, POOL)
    found = {name: await survivors(call) for name, call in calls.items()}
    for close in closers:
        await close()
    return found


def main(rounds: int) -> None:
    """Measure everything and print the tables."""
    itself = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(itself, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        calls = blocking(base)
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in calls}
        for _ in range(rounds):
            for name, call in calls.items():
                gc.collect()
                rows[name].append(measure(call))
        table("blocking", rows)
        table("not blocking", asyncio.run(async_rounds(base, rounds)))
        print("\nanswered of 10 calls, after cancellations under contention")
        for name, count in asyncio.run(storm(base)).items():
            print(f"{name:22}{count:>4}")
        server.terminate()


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(serve())
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
