"""A text delta crosses few of our files from the bytes of a body to a framework's chunk.

The transport, which receives the bytes, is not counted.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_vllm import ChatVllm
from llama_index_vllm import VllmLLM

LIBS = Path(__file__).parents[2] / "libs"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PAUSE = 0.05
"""Seconds between two events, so that each arrives alone."""


def event(**delta: str) -> bytes:
    data = b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def paced_server() -> AsyncIterator[str]:
    answering: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.append(task)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        try:
            for number in range(20):
                writer.write(event(content=f"{number} "))
                await asyncio.sleep(PAUSE)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


async def langchain(url: str) -> AsyncIterator[Any]:
    async with ChatVllm(base_url=url, model="m") as model:
        async for chunk in model.astream("Hi"):
            yield chunk


async def llamaindex(url: str) -> AsyncIterator[Any]:
    async with VllmLLM(base_url=url, model="m") as llm:
        async for chunk in await llm.astream_complete("Hi"):
            yield chunk


@pytest.mark.parametrize(("stream", "most"), [(langchain, 8), (llamaindex, 10)], ids=["langchain", "llamaindex"])
async def test_a_text_delta_crosses_few_files(stream: Callable[[str], Any], most: int) -> None:
    crossed: set[str] = set()

    def profile(frame: Any, kind: str, _: Any) -> None:
        path = frame.f_code.co_filename
        if kind == "call" and path.startswith(str(LIBS)) and "/transport/" not in path:
            crossed.add("/".join(Path(path).parts[-2:]))

    async with paced_server() as url:
        chunks = stream(url)
        await anext(chunks)
        await anext(chunks)
        sys.setprofile(profile)
        try:
            await anext(chunks)
        finally:
            sys.setprofile(None)
        await chunks.aclose()
    assert len(crossed) <= most, sorted(crossed)
