"""The benchmark's server, a process of its own that sends bytes made before: `python -m tests.bench.server`.

It prints its port. `GET /cpu` is the CPU time it has used, in seconds, so that a run can show what it had left.
"""

import asyncio
import sys
import time

from tests.bench.workloads import Workload, answer

__all__ = ["Answering"]


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._buffer = b""
        self._missing = 0
        self._path = ""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._buffer += data
            head, end, body = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._buffer = b""
            lines = head.lower().split(b"\r\n")
            size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            self._path = head.split(b" ", 2)[1].decode()
            self._missing = size - len(body)
        if not self._missing:
            self._answer()

    def _answer(self) -> None:
        kind, *numbers = self._path.strip("/").split("/")
        assert self._transport is not None
        if kind == "cpu":
            spent = b"%.6f" % time.process_time()
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(spent), spent))
            return
        count, together, pause = map(int, numbers[:3])
        workload = Workload(kind, count, together, pause)  # type: ignore[arg-type]  # the path is the benchmark's own
        self._write(answer(workload), 0, pause / 1000)

    def _write(self, pieces: list[bytes], at: int, pause: float) -> None:
        assert self._transport is not None
        self._transport.write(pieces[at])
        if at + 1 < len(pieces):
            self._timer = asyncio.get_running_loop().call_later(pause, self._write, pieces, at + 1, pause)


async def serve() -> None:
    """Serve on a free port, whose number is printed, until standard input ends: with the process that began this one."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
