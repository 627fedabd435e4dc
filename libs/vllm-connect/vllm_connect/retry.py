"""Whether and when a failed call is sent again.

A retry waits a random time, `U(0, min(8, 0.5 * 2**n))` seconds ("full jitter"), or what the server asks for in
`Retry-After`, if that is no more than a minute. Retries are paid from a budget that successes refill, so that an outage
does not multiply the load: with a budget of 100 and a price of 1, a thousand failing calls cost 1,100 requests.
Clock and randomness are arguments: nothing here reads them.
"""

import math
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from threading import Lock

from vllm_connect.config import VllmConfig
from vllm_connect.errors import RequestTimeoutError, VllmError

__all__ = ["RetryBudget", "RetryPolicy", "read_retry_after"]

SENT = frozenset({"write", "first_token", "body", "stall"})
"""Phases in which the server has the request: it may still be working on it."""

ONCE = frozenset({"dns", "invalid_json"})
"""Failures that a second try may mend and a third will not."""

EXTRA = 0.1
"""Part of the wait asked for that is added at random, so that not all come back at once."""

MAX_DOUBLINGS = 60


class RetryPolicy:
    """Says how long to wait before a call is sent again.

    Args:
        config: Most retries, delays, and whether timeouts are retried.
        random: Gives numbers from 0 to 1.
    """

    def __init__(self, config: VllmConfig, random: Callable[[], float]) -> None:
        self._retries = config.max_retries
        self._first = config.retry_delay
        self._longest = config.max_retry_delay
        self._longest_asked = config.max_retry_after
        self._timeouts = config.retry_timeouts
        self._random = random

    def delay(self, attempt: int, failure: VllmError) -> float | None:
        """Say how long to wait after a failure.

        Args:
            attempt: How many requests were sent, from 1.
            failure: What went wrong.

        Returns:
            Seconds to wait, None if the call is not to be sent again.
        """
        if attempt > self._retries or not self._is_worth_it(attempt, failure):
            return None
        asked = failure.retry_after
        if asked is not None:
            return None if asked > self._longest_asked else asked * (1 + EXTRA * self._random())
        return self._random() * min(self._longest, self._first * 2.0 ** min(attempt - 1, MAX_DOUBLINGS))

    def _is_worth_it(self, attempt: int, failure: VllmError) -> bool:
        if failure.code in ONCE and attempt > 1:
            return False
        late = isinstance(failure, RequestTimeoutError) and failure.phase in SENT
        return failure.retryable or (late and self._timeouts)


class RetryBudget:
    """What the retries of all calls to one server are paid from; safe to share between threads and loops.

    A thousand failing calls spend it once, on a hundred retries; a thousand answered ones fill it again.

    Args:
        size: The retries that can be paid at once.
        refund: What a success pays back.
    """

    def __init__(self, size: float = 100, refund: float = 1) -> None:
        self._size = size
        self._refund = refund
        self._left = size
        self._lock = Lock()

    def withdraw(self) -> bool:
        """Pay for one retry; False if there is not enough left."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def refund(self) -> None:
        """Pay back what a success earns."""
        with self._lock:
            self._left = min(self._size, self._left + self._refund)

    def __reduce__(self) -> tuple[type["RetryBudget"], tuple[float, float]]:
        return RetryBudget, (self._size, self._refund)

    def __deepcopy__(self, memo: object) -> "RetryBudget":
        return self


def read_retry_after(text: str | None, now: float) -> float | None:
    """Read a `Retry-After` header (RFC 9110, 10.2.3).

    Args:
        text: Its value: seconds, or an HTTP date.
        now: The time of day, in seconds since 1970.

    Returns:
        Seconds from now; None where there is none, or it is past or nonsense.
    """
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError, TypeError):
            return None
    return seconds if 0 < seconds < math.inf else None
