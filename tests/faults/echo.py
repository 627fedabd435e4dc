"""A server that answers every prompt with the prompt, streamed or whole, so that a crossed answer shows."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Echo", "echoing"]


def _answer(body: Any) -> bytes:
    prompt = body["messages"][-1]["content"]
    whole = {"id": "chatcmpl-1", "model": "demo", "created": 1}
    if not body.get("stream"):
        message = {"role": "assistant", "content": prompt}
        data = json.dumps({**whole, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data)
    deltas = [*({"content": character} for character in prompt), {}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"} for delta in deltas]
    events = [*(json.dumps({**whole, "choices": [choice]}) for choice in choices), "[DONE]"]
    data = b"".join(b"data: %b\n\n" % event.encode() for event in events)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(data), data)


class Echo:
    """The running server.

    Attributes:
        url: Its URL.
        asked: How many prompts it answered.
        open: How many connections are open.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.open = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(size or 0))
                if head.startswith(b"post /v1/chat"):
                    self.asked += 1
                    writer.write(_answer(json.loads(body)))
                else:
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is done
        finally:
            self.open -= 1
            writer.close()


@contextmanager
def echoing() -> Iterator[Echo]:
    """Run the server in a thread."""
    echo = Echo()
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(echo.talk, "127.0.0.1", 0, backlog=512))
    echo.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def end() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield echo
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
