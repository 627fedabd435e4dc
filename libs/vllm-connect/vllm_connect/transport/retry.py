"""Whether and when a failed call is sent again.

A retry waits a random time, `U(0, min(8, 0.5 * 2**n))` seconds ("full jitter"), or what the server asks for in
`Retry-After`, if that is no more than a minute. A request that the server refused, 429 or 503, is retried three times as
often as one that failed: with two retries, 99 % of the calls to a server that refuses half of all requests are answered.

Retries spend from a budget, so that an outage does not multiply the load: of 500 tokens a retry costs 5, and 10 after a
timeout, so that a thousand failing calls cost 1,100 requests. A refusal is the server's own way to reduce its load; a retry
after it costs 1. A retry that succeeds is credited with its cost, and a call that succeeds at once with 1 token: however long
a server fails in part, failed retries are at most a fifth of the calls that succeed at once, and retries of refusals at most
as many.
Clock and randomness are arguments: nothing here reads them.
"""

import math
import re
from collections.abc import Callable
from copy import copy
from email.utils import parsedate_to_datetime
from threading import Lock
from weakref import WeakValueDictionary

from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import RequestTimeoutError, VllmError

__all__ = ["RetryBudget", "RetryPolicy", "budget_of", "read_retry_after"]

SENT = frozenset({"write", "first_token", "body", "stall"})
"""Phases in which the server has the request: it may still be working on it."""

ONCE = frozenset({"dns", "invalid_json"})
"""Failures that a second try may mend and a third will not."""

EXTRA = 0.1
"""Part of the wait asked for that is added at random, so that not all come back at once."""

REFUSALS = frozenset({429, 503})
"""Statuses with which a server refuses a request that it has not worked on."""

REFUSALS_FOR_A_FAILURE = 3
"""How many retries of refusals stand for one of a failure."""

MAX_DOUBLINGS = 60

COST = 5
"""Tokens that a retry costs."""

COST_AFTER_REFUSAL = 1
"""Tokens that a retry costs which the server has refused, and whose time it may have told."""

COST_AFTER_TIMEOUT = 10
"""Tokens that a retry costs when the server may be too busy to answer."""

CREDIT = 1
"""Tokens that a call is credited with which succeeds at once."""

SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
"""Seconds to wait: digits, and a fraction, which the RFC does not have and Python's servers send."""


class RetryPolicy:
    """The rule how long to wait before a call is sent again.

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

    def without_retries(self) -> "RetryPolicy":
        """Return a copy that retries nothing."""
        policy = copy(self)
        policy._retries = 0  # noqa: SLF001 - of a copy of this object
        return policy

    def delay(self, attempt: int, failure: VllmError) -> float | None:
        """Return how long to wait after a failure.

        Args:
            attempt: How many requests were sent, from 1.
            failure: What went wrong.

        Returns:
            Seconds to wait, None if the call is not to be sent again.
        """
        most = self._retries * (REFUSALS_FOR_A_FAILURE if failure.status in REFUSALS else 1)
        if attempt > most or not self._is_worth_it(attempt, failure):
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
    """What the retries of all calls to one server spend; safe to share between threads and loops.

    A thousand failing calls spend it once, on a hundred retries.

    Args:
        size: The most tokens there are, and those at the beginning.
    """

    def __init__(self, size: int = 500) -> None:
        self._size = size
        self._left = size
        self._lock = Lock()

    def spend(self, failure: VllmError) -> int:
        """Spend the cost of one retry.

        Args:
            failure: What went wrong.

        Returns:
            The cost; 0 if there is not enough left, and there is no retry.
        """
        cost = COST_AFTER_TIMEOUT if isinstance(failure, RequestTimeoutError) else COST
        if failure.status in REFUSALS:
            cost = COST_AFTER_REFUSAL
        with self._lock:
            if self._left < cost:
                return 0
            self._left -= cost
            return cost

    def credit(self, spent: int) -> None:
        """Credit a success.

        Args:
            spent: The cost of the retry that succeeded, 0 if it was not a retry.
        """
        with self._lock:
            self._left = min(self._size, self._left + (spent or CREDIT))

    def __reduce__(self) -> tuple[type["RetryBudget"], tuple[int]]:
        return RetryBudget, (self._size,)

    def __deepcopy__(self, memo: object) -> "RetryBudget":
        return self


_budgets: "WeakValueDictionary[str, RetryBudget]" = WeakValueDictionary()
_lock = Lock()


def budget_of(base_url: str) -> RetryBudget:
    """Return the budget of a server.

    Args:
        base_url: The server's address, as the configuration has it.

    Returns:
        The budget; it lives as long as someone holds it.
    """
    with _lock:
        budget = _budgets.get(base_url)
        if budget is None:
            budget = _budgets[base_url] = RetryBudget()
        return budget


def read_retry_after(text: str | None, now: float) -> float | None:
    """Read a `Retry-After` header (RFC 9110, 10.2.3).

    Args:
        text: Its value: seconds, or an HTTP date.
        now: The time of day, in seconds since 1970.

    Returns:
        Seconds from now; None where there is none, or it is past or nonsense.
    """
    text = (text or "").strip()
    if SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError, TypeError):
            return None
    return seconds if 0 < seconds < math.inf else None
