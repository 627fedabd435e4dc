"""A slow reader slows the socket, not memory: of a stream that nobody reads, only so much leaves the server."""

import asyncio
import socket
from typing import Any

import psutil
from vllm_connect import AsyncVllmClient, ChatRequest, TextDelta, VllmConfig

STREAMS = 256
EVENT = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"a" * 4000)
END = b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
EVENTS = 4000
ON_THE_WAY = 8 * 1024 * 1024
"""Bytes of a stream that may have left the server: mostly what the system's sockets hold, which no client can limit."""
HELD = 2 * 1024 * 1024
"""Bytes of this process for each stream: what the client reads ahead, and the stream itself."""


class Generous:
    """Sends every stream as fast as it is taken, and counts what was taken."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(size)
        number = len(self.taken)
        self.taken.append(0)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # else the system would hold megabytes
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        try:
            for _ in range(EVENTS):
                writer.write(EVENT)
                await writer.drain()
                self.taken[number] += len(EVENT)
            writer.write(END)
            await writer.drain()
        except ConnectionError:
            self.taken[number] = 0  # the reader left
        writer.close()

    async def settle(self) -> None:
        """Wait until nothing more is taken."""
        before: list[int] = []
        while before != self.taken:
            before = list(self.taken)
            await asyncio.sleep(0.2)


def length(deltas: list[Any]) -> int:
    return sum(len(delta.text) for delta in deltas if isinstance(delta, TextDelta))


async def test_slow_readers_hold_the_server_back_and_memory_stays_flat() -> None:
    generous = Generous()
    server = await asyncio.start_server(generous.answer, "127.0.0.1", 0, backlog=STREAMS)
    port = server.sockets[0].getsockname()[1]
    client = AsyncVllmClient(VllmConfig(base_url=f"http://127.0.0.1:{port}", timeout=60))
    asked = ChatRequest(messages=[{"role": "user", "content": "Hi"}], stream=True)
    streams = [client.stream(asked) for _ in range(STREAMS)]
    before = psutil.Process().memory_info().rss
    begun = await asyncio.gather(*(anext(stream) for stream in streams))
    await generous.settle()
    assert len(generous.taken) == STREAMS
    assert max(generous.taken) < ON_THE_WAY < EVENTS * len(EVENT)
    assert psutil.Process().memory_info().rss - before < STREAMS * HELD
    text = length(begun[0])
    async for deltas in streams[0]:
        text += length(deltas)
    assert text == EVENTS * 4000
    assert sorted(generous.taken)[-2] < ON_THE_WAY
    await asyncio.gather(*(stream.aclose() for stream in streams))
    await client.aclose()
    server.close()
    await server.wait_closed()
