"""How long to wait for what, at any moment of one call.

A request waits for a connection, connects, and is written, each within a limit of its own. Then it waits for its first
data, from one piece of data to the next, and for all of it in total:

```
─pool─▶ ─connect─▶ ─write─▶
        sent ──first_token──▶ data ──stall──▶ data ──stall──▶ end
started ──total─────────────────────────────────────────────▶
```

Only data counts as progress. Comments such as `: keep-alive` show that the server lives, not that it works, so a
timer for any byte at all, which would always run longer than `stall`, has nothing to add.
The clock's value is an argument: nothing here reads a clock.
"""

import math

from vllm_connect.config.config import Timeouts

__all__ = ["PUNCTUAL", "Deadlines"]

PUNCTUAL = 0.1
"""Seconds after a deadline within which it is noticed where the process itself is not late."""
GRACE = 1.0
"""Seconds in which a process that comes late may take what has been received in the meantime."""


class Deadlines:
    """The deadlines of one call.

    Args:
        timeouts: How long each phase may take.
        started: When the call started, in seconds of any steady clock; all other times are of the same.
    """

    __slots__ = ("_due", "_end", "_noticed", "_phase", "_total", "timeouts")

    def __init__(self, timeouts: Timeouts, started: float) -> None:
        self.timeouts = timeouts
        self._total = math.inf if timeouts.total is None else started + timeouts.total
        self._noticed = self._end = math.inf
        self.start_attempt(started)

    def start_attempt(self, now: float) -> None:
        """Start to wait for the first data of a request; the total goes on."""
        self._arm("first_token", self.timeouts.first_token, now)

    def enter_phase(self, phase: str, now: float) -> None:
        """Start a phase before the request is sent.

        Args:
            phase: `pool`, `connect` or `write`.
            now: The time.
        """
        self._arm(phase, getattr(self.timeouts, phase), now)

    def headers_received(self, now: float, *, streaming: bool = False) -> None:
        """Handle the headers of the response; a body that is not a stream is complete but for its way here."""
        if not streaming:
            self._arm("body", self.timeouts.stall, now)

    def progress(self, now: float) -> None:
        """Handle data; comments are not data."""
        self._arm("stall", self.timeouts.stall, now)

    def next_deadline(self) -> tuple[float, str]:
        """Return when the wait ends, infinite for never, and the phase that ends it."""
        return (self._total, "total") if self._total < self._due else (self._due, self._phase)

    def remaining(self, now: float) -> float:
        """Return how many seconds of the total are left, infinite without one."""
        return self._total - now

    def end_of_wait(self, now: float) -> float:
        """Return when a wait is over, given that this process may be late itself.

        A blocked event loop, a stopped process and a caller that reads late notice a deadline long after it passed. What
        the server has sent in the meantime is read first, which takes a moment. The first look after a deadline decides.

        Args:
            now: The time.

        Returns:
            The deadline, or a later moment where it is noticed late.
        """
        due, _ = self.next_deadline()
        if now < due:
            return due
        if self._noticed != due:
            self._noticed = due
            self._end = due if now < due + PUNCTUAL else now + GRACE
        return self._end

    def _arm(self, phase: str, seconds: float | None, now: float) -> None:
        self._phase = phase
        self._due = math.inf if seconds is None else now + seconds
