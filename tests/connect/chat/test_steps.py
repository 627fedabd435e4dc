"""How one request is sent: retries, their limits, and what an error keeps; outcomes are fed, nothing is sent."""

import math
from typing import Any

import pytest
from vllm_connect import BadRequestError, ConnectionFailedError, RequestTimeoutError, ServerFailureError, VllmError
from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.steps import CallContext, Outcome, Round, Steps, Wait, fetch, probe, send
from vllm_connect.config.config import VllmConfig
from vllm_connect.parsing.ids import new_call_id
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.protocol.stream import AnswerReader
from vllm_connect.response.deltas import TextDelta
from vllm_connect.transport.retry import RetryBudget, RetryPolicy

VERSION = HttpRequest("GET", "/version")
REFUSED = ConnectionFailedError("cannot connect")
HELLO = b'data: {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'


def context(budget: RetryBudget | None = None, **settings: Any) -> CallContext:
    return CallContext(
        policy=RetryPolicy(VllmConfig(**settings), lambda: 0.5),
        budget=budget or RetryBudget(),
        scrub=lambda text: text.replace("sk-1", "[secret]"),
        clock=lambda: 0.0,
        capabilities=ServerCapabilities(),
        new_id=new_call_id,
    )


def answer(step: object, status: int, body: bytes = b"", **headers: str) -> Outcome:
    """Read a reply with the reader of a round."""
    assert isinstance(step, Round)
    step.reader.begin(status, {name.replace("_", "-"): value for name, value in headers.items()})
    step.reader.push(body)
    step.reader.finish()
    return Outcome(None, math.inf)


def returned(steps: Steps[Any], outcome: Outcome) -> Any:
    with pytest.raises(StopIteration) as stopped:
        steps.send(outcome)
    return stopped.value.value


def test_a_reply_is_returned_whole() -> None:
    steps = fetch(VERSION, context())
    first = next(steps)
    assert isinstance(first, Round)
    assert first.request is VERSION
    assert returned(steps, answer(first, 200, b"{}")) == b"{}"


def test_a_failed_request_is_retried_after_a_delay_and_its_cost_is_credited() -> None:
    budget = RetryBudget(10)
    steps = fetch(VERSION, context(budget))
    next(steps)
    wait = steps.send(Outcome(REFUSED, math.inf))
    assert wait == Wait(0.25)
    second = steps.send(Outcome(None, math.inf))
    assert returned(steps, answer(second, 200, b"ok")) == b"ok"
    assert budget.spend(REFUSED)
    assert budget.spend(REFUSED), "the cost of the retry that succeeded came back"
    assert not budget.spend(REFUSED)


def test_a_status_is_an_error_whose_retry_after_is_honoured() -> None:
    steps = fetch(VERSION, context())
    wait = steps.send(answer(next(steps), 503, b"busy", retry_after="3"))
    assert isinstance(wait, Wait)
    assert 3 <= wait.seconds <= 3.3


@pytest.mark.parametrize(
    ("settings", "budget", "remaining"),
    [({"max_retries": 0}, 500, math.inf), ({}, 4, math.inf), ({}, 500, 0.2)],
    ids=["no retries", "no budget", "no time"],
)
def test_a_retry_needs_policy_budget_and_time(settings: dict[str, Any], budget: int, remaining: float) -> None:
    steps = fetch(VERSION, context(RetryBudget(budget), **settings))
    next(steps)
    with pytest.raises(ConnectionFailedError) as caught:
        steps.send(Outcome(ConnectionFailedError("cannot connect"), remaining))
    assert caught.value.attempts == 1


def test_the_last_error_counts_the_attempts_and_keeps_the_request_id() -> None:
    steps = fetch(VERSION, context(max_retries=2))
    step = next(steps)
    for _ in range(2):
        assert isinstance(steps.send(answer(step, 500)), Wait)
        step = steps.send(Outcome(None, math.inf))
    with pytest.raises(ServerFailureError) as caught:
        steps.send(answer(step, 500, x_request_id="r-1"))
    assert (caught.value.attempts, caught.value.request_id) == (3, "r-1")


def test_a_refused_request_is_not_retried_and_shows_no_secret() -> None:
    steps = fetch(VERSION, context())
    with pytest.raises(BadRequestError, match=r"bad key \[secret\]"):
        steps.send(answer(next(steps), 400, b"bad key sk-1"))


def test_a_timeout_of_a_sent_request_is_not_retried() -> None:
    late = RequestTimeoutError("too late", phase="first_token")
    steps = fetch(VERSION, context())
    next(steps)
    with pytest.raises(RequestTimeoutError):
        steps.send(Outcome(late, math.inf))


def test_an_answer_that_has_begun_is_never_requested_again() -> None:
    steps = send(VERSION, lambda: AnswerReader(new_id=new_call_id), context())
    step = next(steps)
    assert isinstance(step, Round)
    step.reader.begin(200, {"content-type": "text/event-stream"})
    assert step.reader.push(HELLO) == [TextDelta("Hel")]
    with pytest.raises(ConnectionFailedError) as caught:
        steps.send(Outcome(ConnectionFailedError("reset"), math.inf))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"


@pytest.mark.parametrize("failure", [REFUSED, ServerFailureError("no")])
def test_a_probe_without_an_answer_returns_none(failure: VllmError) -> None:
    steps = probe(VERSION, context(max_retries=0))
    next(steps)
    assert returned(steps, Outcome(failure, math.inf)) is None
