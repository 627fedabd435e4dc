"""The steps of a call, and how one request is sent.

A call is a generator that does no I/O. It yields a `Round` (send this, read the reply with that), a `Wait`, or deltas for
the caller, and it is resumed with the `Outcome` once for each of them, not for each chunk. A shell carries the steps out:

    step = next(steps)
    while True:
        outcome = carry_out(step)        # open the connection, push bytes into the reader, pass its deltas on
        step = steps.send(outcome)       # raises what the caller should get; StopIteration ends the call
"""

from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias, TypeVar

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.errors import VllmError
from vllm_connect.protocol.error_responses import error_from_response
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.protocol.stream import OK, AnswerReader, BodyReader
from vllm_connect.response.deltas import Delta
from vllm_connect.transport.retry import RetryBudget, RetryPolicy, read_retry_after

__all__ = ["CallContext", "Outcome", "Round", "Step", "Steps", "Wait", "fetch", "probe", "send"]

T = TypeVar("T")
Reader = TypeVar("Reader", bound=BodyReader)


class Round(NamedTuple):
    """One request, and what reads its reply."""

    request: HttpRequest
    reader: BodyReader


class Wait(NamedTuple):
    """A pause before a retry, in seconds."""

    seconds: float


class Outcome(NamedTuple):
    """What became of a step.

    Attributes:
        error: What went wrong on the way to the server or back; None where the reply was read to its end.
        remaining: Seconds that remain of the call's total, infinite without one.
    """

    error: VllmError | None
    remaining: float


Step: TypeAlias = Round | Wait | list[Delta]
Steps: TypeAlias = Generator[Step, Outcome, T]
"""A call, or a part of one that returns something."""


class CallContext(NamedTuple):
    """What all calls of a client have in common.

    Attributes:
        policy: Whether and when to retry.
        budget: What retries are charged to.
        scrub: Removes secrets from the server's text.
        clock: Returns the time of day, in seconds since 1970.
        capabilities: What is known of the server; calls add to it.
        new_id: Returns an id, from a tool's name and the call's index, for a tool call that has none.
    """

    policy: RetryPolicy
    budget: RetryBudget
    scrub: Callable[[str], str]
    clock: Callable[[], float]
    capabilities: ServerCapabilities
    new_id: Callable[[str, int], str]


def send(request: HttpRequest, new_reader: Callable[[], Reader], context: CallContext) -> Steps[Reader]:
    """Send one request, and retry it as far as policy, budget and time allow.

    Returns:
        The reader of the reply.

    Raises:
        VllmError: There is no further retry; `attempts` and `request_id` are set, and `partial` to what arrived.
    """
    attempts = cost = 0
    while True:
        attempts += 1
        reader = new_reader()
        outcome = yield Round(request, reader)
        error = outcome.error or _reply_error(reader, context)
        if error is None:
            context.budget.credit(cost)
            return reader
        delay = None if reader.deltas else context.policy.delay(attempts, error)
        if delay is None or delay >= outcome.remaining or not (cost := context.budget.spend(error)):
            error.attempts = attempts
            error.request_id = error.request_id or reader.headers.get("x-request-id")
            if isinstance(reader, AnswerReader):
                error.partial = error.partial or reader.partial()
            raise error
        yield Wait(delay)


def fetch(request: HttpRequest, context: CallContext) -> Steps[bytes]:
    """Send a request whose reply is taken whole.

    Returns:
        The body of the reply.
    """
    return (yield from send(request, BodyReader, context)).take_body()


def probe(request: HttpRequest, context: CallContext) -> Steps[bytes | None]:
    """Ask what a proxy may not pass on; None where there is no answer."""
    try:
        return (yield from fetch(request, context))
    except VllmError:
        return None


def _reply_error(reader: BodyReader, context: CallContext) -> VllmError | None:
    """Return what is wrong with a reply that was read to its end."""
    if isinstance(reader, AnswerReader) and reader.is_answer:
        return reader.failure
    if reader.status == OK and not isinstance(reader, AnswerReader):
        return None
    retry_after = read_retry_after(reader.headers.get("retry-after"), context.clock())
    return error_from_response(
        reader.status, reader.headers, reader.take_body(), scrub=context.scrub, retry_after=retry_after
    )
