"""How long to wait for what, at any moment of one call.

A call waits for its first data, then from one piece of data to the next, and for all of it in total:

```
started ──first_token──▶ data ──stall──▶ data ──stall──▶ end
started ──total─────────────────────────────────────────▶
```

Only data counts as progress. Comments such as `: keep-alive` show that the server lives, not that it works, so a
timer for any byte at all, which would always run longer than `stall`, has nothing to add.
The clock's value is an argument: nothing here reads a clock.
"""

import math

from vllm_connect.config.config import Timeouts

__all__ = ["Deadlines"]


class Deadlines:
    """The deadlines of one call.

    Args:
        timeouts: How long each phase may take.
        started: When the call started, in seconds of any steady clock; all other times are of the same.
    """

    __slots__ = ("_due", "_phase", "_total", "timeouts")

    def __init__(self, timeouts: Timeouts, started: float) -> None:
        self.timeouts = timeouts
        self._total = math.inf if timeouts.total is None else started + timeouts.total
        self.start_attempt(started)

    def start_attempt(self, now: float) -> None:
        """Start anew with another request; the total goes on."""
        self._arm("first_token", self.timeouts.first_token, now)

    def headers_received(self, now: float, *, streaming: bool = False) -> None:
        """The answer's headers came: what is no stream is complete now but for its way here."""
        if not streaming:
            self._arm("body", self.timeouts.stall, now)

    def progress(self, now: float) -> None:
        """Data came; comments are none."""
        self._arm("stall", self.timeouts.stall, now)

    def next_deadline(self) -> tuple[float, str]:
        """Return when the wait ends, infinite for never, and the phase that ends it."""
        return (self._total, "total") if self._total < self._due else (self._due, self._phase)

    def remaining(self, now: float) -> float:
        """Return how many seconds of the total are left, infinite without one."""
        return self._total - now

    def _arm(self, phase: str, seconds: float | None, now: float) -> None:
        self._phase = phase
        self._due = math.inf if seconds is None else now + seconds
