"""The openai package, without a framework."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from openai import AsyncOpenAI, OpenAI

__all__ = ["Bare"]


class Bare:
    """Its two clients, one for each address."""

    def __init__(self) -> None:
        self._made: dict[tuple[type, str], Any] = {}

    def _client(self, kind: type, url: str) -> Any:
        key = (kind, url)
        if key not in self._made:
            self._made[key] = kind(base_url=f"{url}/v1", api_key="sk")
        return self._made[key]

    def _ask(self, kind: type, url: str, **given: Any) -> Any:
        said: Any = [{"role": "user", "content": "Say something."}]
        return self._client(kind, url).chat.completions.create(model="m", messages=said, **given)

    def stream(self, url: str, _: bool) -> Iterator[Any]:
        return self._ask(OpenAI, url, stream=True)  # type: ignore[no-any-return]  # of either client

    async def astream(self, url: str, _: bool) -> AsyncIterator[Any]:
        return await self._ask(AsyncOpenAI, url, stream=True)  # type: ignore[no-any-return]  # of either client

    def text(self, chunk: Any) -> str:
        return (chunk.choices[0].delta.content or "") if chunk.choices else ""

    def call(self, url: str) -> Any:
        return self._ask(OpenAI, url)

    async def acall(self, url: str, times: int) -> Any:
        return await asyncio.gather(*(self._ask(AsyncOpenAI, url) for _ in range(times)))
