"""A session of aiohttp: how it is made, and that it is closed whatever becomes of its event loop.

A loop that shuts its asynchronous generators down, as `asyncio.run` does, closes the sessions made in it, so that nobody
has to close anything between two runs.
"""

import asyncio
import atexit
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

from vllm_connect.transport.opening import opening
from vllm_connect.transport.target import Route

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["HeldSession", "Loop", "let_go", "new_session"]

MAX_HEADER_BYTES = 65536

Loop = asyncio.AbstractEventLoop


def new_session(route: Route) -> "ClientSession":
    """Make a session that tells the running task's opening where it is."""
    import aiohttp  # noqa: PLC0415 - slow, and not needed by blocking callers
    from aiohttp.connector import Connection  # noqa: PLC0415 - the same
    from aiohttp.tracing import Trace  # noqa: PLC0415 - the same

    class Phases(Trace):
        """Tells where a request is that waits for a connection; aiohttp tells nothing else of it then."""

        async def send_connection_queued_start(self) -> None:
            opening.get().enter("pool")

        async def send_connection_create_start(self) -> None:
            opening.get().enter("connect")

        async def send_connection_create_end(self) -> None:
            opening.get().connected(reused=False)

        async def send_connection_reuseconn(self) -> None:
            opening.get().connected(reused=True)

    class Connector(aiohttp.TCPConnector):
        phases: Phases

        async def connect(
            self, req: "aiohttp.ClientRequest", traces: list[Trace], timeout: aiohttp.ClientTimeout
        ) -> Connection:
            connection = await super().connect(req, [*traces, self.phases], timeout)
            opening.get().transport = connection.transport
            return connection

    config = route.config
    connector = Connector(
        limit=config.max_connections,
        keepalive_timeout=config.keepalive_expiry or None,
        force_close=not config.keepalive_expiry,
        ssl=route.tls() or True,
        resolver=aiohttp.ThreadedResolver(),
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
    )
    silent = aiohttp.TraceConfig()
    silent.freeze()
    connector.phases = Phases(session, silent, SimpleNamespace())
    return session


class HeldSession:
    """An open session, held until it is closed: by its pool, with its loop, or when the interpreter ends.

    The loop closes it through an asynchronous generator, which every loop closes when it shuts down.
    """

    all: ClassVar[set["HeldSession"]] = set()

    def __init__(self, session: "ClientSession", loop: Loop) -> None:
        self.session = session
        self.loop = loop
        self._guard = self._until_closed()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Hold the session from now on."""
        await self._guard.__anext__()
        self.all.add(self)

    async def close(self) -> None:
        """Close the session; on a loop that is closed, this never waits."""
        await self._end()
        with suppress(RuntimeError):  # the loop is closing its generators at this moment
            await self._guard.aclose()

    def close_soon(self) -> None:
        """Close the session in its own loop, from any thread."""
        if self.loop.is_closed():
            self.close_now()
        else:
            self.loop.call_soon_threadsafe(self._closing)

    def close_now(self) -> None:
        """Close the session of a loop that does not run."""
        if not self.loop.is_closed():
            self.loop.run_until_complete(self._closing())
            return
        with suppress(StopIteration):
            self.close().send(None)

    def _closing(self) -> "asyncio.Task[None]":
        if self._task is None:
            self._task = self.loop.create_task(self.close())
        return self._task

    async def _end(self) -> None:
        """Close the session unless that has begun: a loop that ends and a pool that is dropped may both do so."""
        self.all.discard(self)
        await self.session.close()

    async def _until_closed(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self._end()


def let_go(held: "dict[Loop, HeldSession]", pid: int) -> None:
    """Close what a pool leaves behind."""
    if pid == os.getpid():
        for each in list(held.values()):
            each.close_soon()


@atexit.register
def _close_the_last() -> None:
    """Close the sessions of loops that nobody closed; aiohttp would complain of them."""
    for held in list(HeldSession.all):
        if not held.loop.is_running():
            held.close_now()
