"""The way from a request to the headers of its answer: waiting for a connection, connecting, writing, waiting.

aiohttp's own deadlines are off: the call's one alarm, which is told of each phase, knows the wait for a free connection from
the wait for the network.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

from vllm_connect.transport.deadline_timer import Alarm
from vllm_connect.transport.error_mapping import Place

__all__ = ["LARGE", "Opening", "opening"]

LARGE = 256 * 1024
"""From this size on, in bytes, a request is written in pieces, so that the time to write it can be told."""
PIECE = 64 * 1024


class Opening:
    """The way from a request to the headers of its answer, phase by phase, each with its time.

    Time that runs out cancels the task, as `asyncio.timeout` does, which Python 3.10 does not have.

    Args:
        place: Where the call is.
        alarm: Watches the phases.
        large: Whether the request is written in pieces.
    """

    def __init__(self, place: Place, alarm: Alarm, *, large: bool) -> None:
        self.place = place
        self.reused = False
        self.expired: str | None = None
        self.transport: asyncio.Transport | None = None
        self._large = large
        self._alarm = alarm
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request needs a running task")
        self._task = task
        self._cancelling = _cancelling(task)

    def enter(self, phase: str) -> None:
        """Go over to another phase."""
        self.place.phase = phase
        deadlines = self.place.deadlines
        if phase == "headers":
            self._alarm.watch(deadlines.next_deadline, self._late)
            return
        now = time.monotonic()
        left = getattr(deadlines.timeouts, phase) or math.inf
        whole = deadlines.remaining(now)
        due = (now + left, phase) if left <= whole else (now + whole, "total")
        self._alarm.watch(lambda: due, self._late)

    def connected(self, *, reused: bool) -> None:
        """Take the connection; what is small is written at once."""
        self.reused = reused
        self.enter("write" if self._large else "headers")

    async def pieces(self, body: bytes) -> AsyncIterator[bytes]:
        """Give the body in pieces; each is asked for when the one before it is on its way."""
        for at in range(0, len(body), PIECE):
            yield body[at : at + PIECE]
        self.enter("headers")

    def abort(self) -> None:
        """Drop what was not written yet: closing in order would wait for the server to take it."""
        if self.transport is not None:
            self.transport.abort()

    def own(self, error: BaseException) -> bool:
        """Tell whether a cancellation is that of the timer and of nobody else."""
        if self.expired is None or not isinstance(error, asyncio.CancelledError):
            return False
        uncancel = getattr(self._task, "uncancel", None)
        return uncancel is None or uncancel() <= self._cancelling

    def _late(self, phase: str) -> None:
        self.expired = phase
        self._task.cancel()


def _cancelling(task: "asyncio.Task[Any]") -> int:
    count = getattr(task, "cancelling", None)  # since Python 3.11
    return 0 if count is None else int(count())


opening: ContextVar[Opening] = ContextVar("opening")
"""The opening of the running task, which aiohttp's hooks report to."""
