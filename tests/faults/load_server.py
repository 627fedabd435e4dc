"""A server for very many streams, in a process of its own, that knows who hung up and when.

A prompt `hold r17` is streamed without an end, `echo r17` in five events that repeat its last word, over two seconds, and
any other in five events. An answer that is not streamed has the same text. `GET /seen` tells how many streams are being
written, how many connections are open beside the one that asks, the most that were open at once, how many requests each
echoed word had if not one, and when the client of each stream hung up:
`{"writing": 0, "open": 10, "most_open": 64, "requests": 3000, "repeated": {}, "left": {"r17": 812.25}}`, in seconds of
`time.monotonic`, which all processes share.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

__all__ = ["running", "seen"]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PAUSE = 0.002
ECHO_PAUSE = 0.5
WORDS = 4


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """Write one event in a chunk of its own."""
    body = {"id": "chatcmpl-1", "model": "demo", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    data = b"data: " + json.dumps(body).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = event({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def whole(text: str) -> bytes:
    """Write an answer that is not a stream."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = json.dumps({"id": "chatcmpl-1", "model": "demo", "choices": [choice]}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


class Talk(asyncio.Protocol):
    """One connection."""

    open: ClassVar[set["Talk"]] = set()
    left: ClassVar[dict[str, float]] = {}
    most_open: ClassVar[int] = 0
    requests: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._name = ""
        self._word = b""
        self._pause = PAUSE
        self._words = 0

    @property
    def writing(self) -> bool:
        return self._timer is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open.add(self)
        Talk.most_open = max(Talk.most_open, len(self.open))

    def connection_lost(self, _error: Exception | None) -> None:
        self.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.left[self._name] = time.monotonic()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"GET"):
            self._buffer = b""
            self._tell()
            return
        size = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= size:
            self._buffer = b""
            asked = json.loads(body)
            kind, _, self._name = asked["messages"][-1]["content"].rpartition(" ")
            self.requests[self._name] += 1
            word = f"{self._name} " if kind == "echo" else "word "
            if not asked.get("stream"):
                self._write(whole(word * WORDS))
                return
            self._word = event({"content": word})
            self._pause = ECHO_PAUSE if kind == "echo" else PAUSE
            self._words = 0
            self._write(HEAD + self._word)
            self._go_on(endless=kind == "hold")

    def _go_on(self, *, endless: bool) -> None:
        self._words += 1
        if endless or self._words < WORDS:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._next, endless)
        else:
            self._timer = None
            self._write(LAST)

    def _next(self, endless: bool) -> None:
        self._write(self._word)
        self._go_on(endless=endless)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _tell(self) -> None:
        writing = sum(each.writing for each in self.open)
        seen = {
            "writing": writing,
            "open": len(self.open) - 1,
            "most_open": self.most_open,
            "requests": self.requests.total(),
            "repeated": {name: times for name, times in self.requests.items() if times > 1},
            "left": self.left,
        }
        body = json.dumps(seen).encode()
        self._write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        if self._transport is not None:
            self._transport.close()


async def serve() -> None:
    """Serve on a free port, which is printed, until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Talk, "127.0.0.1", 0, backlog=8192)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def running() -> Iterator[str]:
    """Run the server in a process of its own and give its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.load_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def seen(url: str) -> Any:
    """Ask the server what it has seen."""
    with urllib.request.urlopen(f"{url}/seen", timeout=30) as reply:
        return json.load(reply)


if __name__ == "__main__":
    asyncio.run(serve())
