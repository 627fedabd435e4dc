"""Bounds from below: what an HTTP client alone costs, and what a socket alone costs.

httpx reads lines and decodes JSON, as most programs do. aiohttp and the socket only cut the stream into events.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx

__all__ = ["Aiohttp", "Httpx", "Socket"]

PATH = "/v1/chat/completions"
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Say something."}], "stream": True}).encode()
HEADERS = {"content-type": "application/json", "authorization": "Bearer sk"}


class Httpx:
    """httpx, lines and the standard library's JSON."""

    def __init__(self) -> None:
        self._client = httpx.Client()
        limits = httpx.Limits(max_connections=1000)
        self._async_client = httpx.AsyncClient(limits=limits, timeout=60)

    def stream(self, url: str, _: bool) -> Iterator[Any]:
        with self._client.stream("POST", url + PATH, content=BODY, headers=HEADERS) as reply:
            for line in reply.iter_lines():
                if line.startswith("data: {"):
                    yield json.loads(line[6:])

    async def astream(self, url: str, _: bool) -> AsyncIterator[Any]:
        return self._astream(url)

    async def _astream(self, url: str) -> AsyncIterator[Any]:
        async with self._async_client.stream("POST", url + PATH, content=BODY, headers=HEADERS) as reply:
            async for line in reply.aiter_lines():
                if line.startswith("data: {"):
                    yield json.loads(line[6:])

    def text(self, chunk: Any) -> str:
        return (chunk["choices"][0]["delta"].get("content") or "") if chunk["choices"] else ""

    def call(self, url: str) -> Any:
        return self._client.post(url + PATH, content=BODY, headers=HEADERS).json()

    async def acall(self, url: str, times: int) -> Any:
        async def one() -> Any:
            return (await self._async_client.post(url + PATH, content=BODY, headers=HEADERS)).json()

        return await asyncio.gather(*(one() for _ in range(times)))


class Aiohttp:
    """aiohttp, cut into events."""

    def __init__(self) -> None:
        self._held: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        if self._held is None:
            self._held = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
        return self._held

    async def astream(self, url: str, _: bool) -> AsyncIterator[list[bytes]]:
        return self._astream(url)

    async def _astream(self, url: str) -> AsyncIterator[list[bytes]]:
        async with self._session().post(url + PATH, data=BODY, headers=HEADERS) as reply:
            async for data in reply.content.iter_any():
                yield data.split(b"\n\n")

    def text(self, chunk: list[bytes]) -> str:
        return " token" * sum(b'"content":" token"' in event for event in chunk)

    async def acall(self, url: str, times: int) -> Any:
        async def one() -> bytes:
            async with self._session().post(url + PATH, data=BODY, headers=HEADERS) as reply:
                return await reply.read()

        return await asyncio.gather(*(one() for _ in range(times)))


class Socket:
    """A socket, cut into events; no HTTP client can be cheaper."""

    @staticmethod
    def _request(url: str) -> tuple[tuple[str, int], bytes]:
        at = urlsplit(url)
        head = f"POST {at.path}{PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n\r\n"
        return (str(at.hostname), at.port or 80), head.encode() + BODY

    def stream(self, url: str, _: bool) -> Iterator[list[bytes]]:
        address, request = self._request(url)
        with socket.create_connection(address) as line:
            line.sendall(request)
            while data := line.recv(65536):
                yield data.split(b"\n\n")
                if data.endswith(b"\r\n0\r\n\r\n"):
                    return

    async def astream(self, url: str, _: bool) -> AsyncIterator[list[bytes]]:
        return self._astream(url)

    async def _astream(self, url: str) -> AsyncIterator[list[bytes]]:
        address, request = self._request(url)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        while data := await reader.read(65536):
            yield data.split(b"\n\n")
            if data.endswith(b"\r\n0\r\n\r\n"):
                break
        writer.close()

    def text(self, chunk: list[bytes]) -> str:
        return " token" * sum(b'"content":" token"' in event for event in chunk)

    def call(self, url: str) -> bytes:
        address, request = self._request(url)
        with socket.create_connection(address) as line:
            line.sendall(request)
            return line.recv(65536)

    async def acall(self, url: str, times: int) -> Any:
        async def one() -> bytes:
            address, request = self._request(url)
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request)
            data = await reader.read(65536)
            writer.close()
            return data

        return await asyncio.gather(*(one() for _ in range(times)))
