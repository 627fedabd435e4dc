"""The one timer of a call that does not block: it knows which wait ended too late, whoever waits.

It is not moved for every wait and every piece of data: it rings when the call may be late at the earliest, and looks then.
"""

import asyncio
import math
import time
from collections.abc import Callable

from vllm_connect.transport.deadlines import Deadlines

__all__ = ["Alarm"]

Due = Callable[[], tuple[float, str]]
"""Tells when a wait ends, infinite for never, and the name of the timer that ends it."""
Late = Callable[[str], None]
"""Is told the name of the timer that ran out."""


class Alarm:
    """The timer of one call, in its event loop.

    Args:
        deadlines: When the call is late. Progress never puts that nearer than the time of a stall, so that nobody has to
            tell of progress.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._longest = deadlines.timeouts.stall or math.inf
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._rings = math.inf
        self._due: Due = _never
        self._late: Late = _nobody

    def watch(self, due: Due, late: Late) -> None:
        """Watch a wait, and no longer the one before it.

        Args:
            due: Tells when it ends; asked again whenever the alarm rings.
            late: Is told the name of the timer that ran out.
        """
        self._due, self._late = due, late
        self._set(time.monotonic())

    def stop(self) -> None:
        """Watch nothing, and hold nobody."""
        self._due, self._late = _never, _nobody
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._rings = math.inf

    def _set(self, now: float) -> None:
        """Ring in time, unless that is so already."""
        rings = min(self._due()[0], now + self._longest)
        if rings < self._rings:
            if self._handle is not None:
                self._handle.cancel()
            self._rings = rings
            self._handle = self._loop.call_later(max(rings - now, 0), self._ring)

    def _ring(self) -> None:
        self._handle, self._rings = None, math.inf
        now = time.monotonic()
        due, name = self._due()
        if due <= now:
            self._late(name)
        else:
            self._set(now)


def _never() -> tuple[float, str]:
    return math.inf, ""


def _nobody(_: str) -> None:
    """Is late for nobody."""
