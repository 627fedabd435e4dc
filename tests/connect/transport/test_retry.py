"""When a call is sent again: after how long, and for how long at all."""

import threading
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import format_datetime
from itertools import cycle
from random import Random

import pytest
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import (
    BadRequestError,
    ConnectionFailedError,
    ProtocolError,
    RateLimitedError,
    RequestTimeoutError,
    ServerFailureError,
    StreamInterruptedError,
    VllmError,
)
from vllm_connect.transport.retry import RetryBudget, RetryPolicy, budget_of, read_retry_after

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc).timestamp()
BUSY = ServerFailureError("busy", status=500)
REFUSED = ServerFailureError("busy", status=503)


def policy(random: Callable[[], float] = lambda: 1.0, **settings: object) -> RetryPolicy:
    return RetryPolicy(VllmConfig(**{"max_retries": 9, **settings}), random)


# Delays


def test_delays_double_up_to_the_longest() -> None:
    assert [policy().delay(n, BUSY) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert policy(max_retries=10**6).delay(10**5, BUSY) == 8


def test_delays_are_random_from_nothing_on() -> None:
    assert policy(lambda: 0.0).delay(5, BUSY) == 0
    assert policy(lambda: 0.25).delay(3, BUSY) == 0.5


def test_delays_are_settings() -> None:
    slow = policy(retry_delay=1, max_retry_delay=3)
    assert [slow.delay(n, BUSY) for n in range(1, 4)] == [1, 2, 3]


def test_a_policy_without_retries_leaves_the_original_its_own() -> None:
    original = policy()
    assert original.without_retries().delay(1, BUSY) is None
    assert original.delay(1, BUSY) == 0.5


def test_retries_are_counted() -> None:
    assert policy(max_retries=2).delay(2, BUSY) is not None
    assert policy(max_retries=2).delay(3, BUSY) is None
    assert policy(max_retries=0).delay(1, BUSY) is None


@pytest.mark.parametrize("refusal", [REFUSED, RateLimitedError("x", status=429)])
def test_refusals_are_retried_three_times_as_often(refusal: VllmError) -> None:
    assert [policy(max_retries=2).delay(n, refusal) is not None for n in range(1, 9)] == [True] * 6 + [False] * 2
    assert policy(max_retries=0).delay(1, refusal) is None
    assert policy(max_retries=2).delay(3, BUSY) is None


# Waits that the server asks for


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + seconds, timezone.utc), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20", 20),
        ("0.5", 0.5),
        (" 7 ", 7),
        ("60", 60),
        ("61", 61),
        ("0", None),
        ("-5", None),
        ("-0", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1e400", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("20, 30", None),
        ("1_0", None),
        ("1e1", None),
        ("+7", None),
        ("\uff17", None),
        (".5", None),
        ("9" * 400, None),
        (date(30), 30),
        (date(3600), 3600),
        (date(-30), None),
        (date(0), None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 32 Dec 2026 23:59:59 GMT", None),
        ("Sat, 21 Nov 2026 12:00:09 +0000", 9),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, NOW) == seconds


def test_wait_asked_for_is_kept_and_never_shortened() -> None:
    asking = RateLimitedError("slow down", retry_after=20.0)
    assert policy(lambda: 0.0).delay(1, asking) == 20
    assert policy(lambda: 1.0).delay(1, asking) == 22


def test_wait_that_is_too_long_ends_the_call() -> None:
    assert policy().delay(1, RateLimitedError("slow down", retry_after=60.0)) is not None
    assert policy().delay(1, RateLimitedError("slow down", retry_after=60.1)) is None
    assert policy(max_retry_after=0).delay(1, RateLimitedError("slow down", retry_after=1.0)) is None


# What is worth it


@pytest.mark.parametrize(
    ("failure", "retried"),
    [
        (BUSY, True),
        (RateLimitedError("x"), True),
        (ConnectionFailedError("x"), True),
        (ConnectionFailedError("x", code="tls", retryable=False), False),
        (RequestTimeoutError("x", phase="connect", retryable=True), True),
        (RequestTimeoutError("x", status=408, retryable=True), True),
        (RequestTimeoutError("x", phase="pool"), False),
        (RequestTimeoutError("x", phase="first_token"), False),
        (RequestTimeoutError("x", phase="stall"), False),
        (RequestTimeoutError("x", phase="total"), False),
        (StreamInterruptedError("x"), False),
        (BadRequestError("x"), False),
        (ProtocolError("x"), False),
        (VllmError("x"), False),
    ],
)
def test_worth(failure: VllmError, retried: bool) -> None:
    assert (policy().delay(1, failure) is not None) == retried


def test_timeouts_on_request() -> None:
    bold = policy(retry_timeouts=True)
    for phase in ("write", "first_token", "body", "stall"):
        assert bold.delay(1, RequestTimeoutError("x", phase=phase)) is not None
    for phase in ("pool", "total"):
        assert bold.delay(1, RequestTimeoutError("x", phase=phase)) is None


@pytest.mark.parametrize("code", ["dns", "invalid_json"])
def test_some_errors_are_retried_once(code: str) -> None:
    failure = ConnectionFailedError("x", code=code)
    assert policy().delay(1, failure) is not None
    assert policy().delay(2, failure) is None


# The budget


def calls(
    budget: RetryBudget, count: int, failing: Callable[[], bool], failure: VllmError = BUSY, retries: int = 9
) -> int:
    """Count the requests of calls that are tried again as often as they may be."""
    requests = 0
    rule = policy(max_retries=retries)
    for _ in range(count):
        paid = attempt = 0
        while True:
            attempt += 1
            requests += 1
            if not failing():
                budget.credit(paid)
                break
            if rule.delay(attempt, failure) is None or not (paid := budget.spend(failure)):
                break
    return requests


def always() -> bool:
    return True


def never() -> bool:
    return False


def test_outage_costs_a_tenth_more() -> None:
    assert calls(RetryBudget(), 1000, always) == 1100


def test_outage_of_timeouts_costs_half_of_that() -> None:
    late = RequestTimeoutError("late", phase="connect", retryable=True)
    assert calls(RetryBudget(), 1000, always, late) == 1050


def test_refusals_cost_little() -> None:
    assert calls(RetryBudget(), 10_000, always, REFUSED) == 10_500
    budget = RetryBudget(1)
    assert (budget.spend(RateLimitedError("x", status=429)), budget.spend(REFUSED)) == (1, 0)


def test_a_server_that_refuses_half_is_asked_as_often_as_it_takes() -> None:
    chance = Random(1)  # noqa: S311 - repeatable, no secret
    requests = calls(RetryBudget(), 20_000, lambda: chance.random() < 0.5, REFUSED, retries=2)
    assert requests / 20_000 == pytest.approx(1.984, abs=0.02)


def test_answers_fill_the_budget_and_no_more() -> None:
    budget = RetryBudget()
    calls(budget, 1000, always)
    assert not budget.spend(BUSY)
    assert calls(budget, 400, never) == 400
    assert calls(budget, 1000, always) == 1080
    assert calls(budget, 1000, never) == 1000
    assert calls(budget, 1000, always) == 1100


def test_a_retry_that_succeeds_costs_nothing() -> None:
    budget = RetryBudget(5)
    for _ in range(1000):
        paid = budget.spend(BUSY)
        assert paid == 5
        budget.credit(paid)


@pytest.mark.parametrize(("share", "most"), [(0.01, 1.02), (0.1, 1.12), (0.5, 1.25), (0.8, 1.1)])
def test_a_server_that_fails_often_is_not_asked_more(share: float, most: float) -> None:
    chance = Random(1)  # noqa: S311 - repeatable, no secret
    assert calls(RetryBudget(), 10_000, lambda: chance.random() < share) / 10_000 < most


def test_few_failures_are_all_tried_again() -> None:
    outcomes = cycle([True] + [False] * 50)
    assert calls(RetryBudget(5), 5000, lambda: next(outcomes)) == 5100


def test_threads_spend_it_once() -> None:
    budget = RetryBudget()
    spent = []

    def spend() -> None:
        spent.append(sum(budget.spend(BUSY) > 0 for _ in range(50)))

    threads = [threading.Thread(target=spend) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(spent) == 100


def test_one_budget_for_each_server() -> None:
    budget = budget_of("http://a")
    assert budget_of("http://a") is budget
    assert budget_of("http://b") is not budget
