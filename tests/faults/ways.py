"""The four ways to call a client, on both routes to the server.

`with Caller("langchain", url, "astream", "httpx") as call: call("Hi").text` streams the answer in an event loop of its own,
through httpx. `call.at_once(["Hi", "Ho"])` makes two calls at the same time.
"""

import asyncio
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import Self

from tests.faults.clients import Asker, Came, made

__all__ = ["ROUTES", "WAYS", "Caller"]

T = TypeVar("T")

WAYS = ("call", "stream", "acall", "astream")
ROUTES = {"direct": "auto", "httpx": "httpx"}
"""The value of `transport` for each route."""


class Caller:
    """A client that is called in one way.

    Args:
        kind: Which client.
        url: The server.
        way: One of `WAYS`.
        route: One of `ROUTES`.
        settings: Settings of the client.

    Attributes:
        asker: The client.
        way: The way.
        is_async: Whether calls are made in an event loop, the same for all.
    """

    def __init__(self, kind: str, url: str, way: str, route: str = "direct", **settings: Any) -> None:
        self.asker: Asker = made(kind, url, **{"transport": ROUTES[route], **settings})
        self.way = way
        self.is_async = way.startswith("a")
        self._loop = asyncio.new_event_loop() if self.is_async else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is None:
            self.asker.close()
            return
        left = asyncio.all_tasks(self._loop)
        for task in left:  # of a call that was interrupted
            task.cancel()
        self.run(_ended(left))
        self.run(self.asker.aclose())
        self.run(self._loop.shutdown_asyncgens())
        self._loop.close()

    def __call__(self, prompt: str = "Hi") -> Came:
        """Call the client."""
        if self.is_async:
            return self.run(self.acall(prompt))
        return self.asker.ask(prompt) if self.way == "call" else self.asker.joined(list(self.asker.stream(prompt)))

    async def acall(self, prompt: str = "Hi") -> Came:
        """Call the client in the running event loop."""
        if self.way == "acall":
            return await self.asker.aask(prompt)
        return self.asker.joined([piece async for piece in self.asker.astream(prompt)])

    def at_once(self, prompts: list[str]) -> list[Came]:
        """Make calls at the same time, in threads or in the event loop."""
        if not self.is_async:
            with ThreadPoolExecutor(len(prompts)) as threads:
                return list(threads.map(self, prompts))

        async def together() -> list[Came]:
            return list(await asyncio.gather(*(self.acall(prompt) for prompt in prompts)))

        return self.run(together())

    def pause(self, seconds: float) -> None:
        """Let time pass, in which the event loop runs."""
        self.run(asyncio.sleep(seconds)) if self.is_async else time.sleep(seconds)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the client's event loop."""
        assert self._loop is not None
        return self._loop.run_until_complete(work)


async def _ended(tasks: set["asyncio.Task[Any]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
