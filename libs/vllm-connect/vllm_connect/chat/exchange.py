"""One call to the server, without the I/O: what to send, what the reply says, whether to try again.

A shell sends `request()`, tells `answered` the head of the reply, `feed`s it the body until it is `done`, calls `end`
and then `verify`, which raises what went wrong. Whatever raises on the way goes to `failed`, which says how long to
wait before the next round, or raises. Two shells of a few lines drive it, and they differ by `await` only.
"""

from collections.abc import Callable, Mapping
from typing import NoReturn

from vllm_connect.errors import ProtocolError, VllmError
from vllm_connect.protocol.error_responses import error_from_response
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.response.deltas import Delta
from vllm_connect.transport.retry import RetryBudget, RetryPolicy, read_retry_after

__all__ = ["Exchange", "Terms"]

OK = 200
MAX_BODY_BYTES = 64 * 1024 * 1024


class Terms:
    """What all calls of a client have in common.

    Args:
        policy: Says whether and when to try again.
        budget: What retries are paid from.
        scrub: Takes secrets out of the server's text.
        clock: Gives the time of day, in seconds since 1970.
    """

    def __init__(
        self, policy: RetryPolicy, budget: RetryBudget, scrub: Callable[[str], str], clock: Callable[[], float]
    ) -> None:
        self.policy = policy
        self.budget = budget
        self.scrub = scrub
        self.clock = clock


class Exchange:
    """A request whose reply is taken whole.

    Args:
        request: What to send.
        terms: What all calls of the client have in common.

    Attributes:
        done: The reply in hand holds nothing more that is wanted.
        finished: The call has its answer.
        body: The reply, once `finished`.
    """

    def __init__(self, request: HttpRequest, terms: Terms) -> None:
        self._http_request = request
        self._terms = terms
        self._attempts = 0
        self._paid = 0
        self._status = OK
        self._headers: Mapping[str, str] = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._failure: VllmError | None = None
        self.done = False
        self.finished = False
        self.body = b""

    def request(self) -> HttpRequest:
        """Begin a round: give the request to send."""
        self._attempts += 1
        self._pieces = []
        self._size = 0
        self._failure = None
        self.done = False
        return self._http_request

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of the reply.

        Args:
            status: The HTTP status.
            headers: The headers, their names in lower case.
        """
        self._status = status
        self._headers = headers

    def feed(self, data: bytes) -> list[Delta]:
        """Take a piece of the body; give the deltas it completes."""
        self._size += len(data)
        self._pieces.append(data)
        if self._size > MAX_BODY_BYTES:
            self._failure = ProtocolError(
                f"the server's answer is larger than {MAX_BODY_BYTES} bytes", code="response_too_large"
            )
            self.done = True
        return []

    def end(self) -> list[Delta]:
        """Take the end of the body; give the deltas held back."""
        self.done = True
        return []

    def verify(self) -> None:
        """Conclude the round.

        Raises:
            VllmError: The reply is no answer.
        """
        if self._failure is not None:
            raise self._failure
        if self._status != OK:
            raise self._refusal()
        self.body = b"".join(self._pieces)
        self._succeed()

    def failed(self, error: VllmError, left: float) -> float:
        """Take what went wrong in a round.

        Args:
            error: What the transport or `verify` raised.
            left: Seconds left of the whole call's time.

        Returns:
            Seconds to wait before the next round.

        Raises:
            VllmError: There is no next round.
        """
        delay = self._terms.policy.delay(self._attempts, error)
        if delay is None or delay >= left or not (paid := self._terms.budget.pay(error)):
            self._give_up(error)
        self._paid = paid
        return delay

    def _refusal(self) -> VllmError:
        """Read the error from the body, which then is in no variable: tracebacks, and what reports them, show those."""
        body, self._pieces = b"".join(self._pieces), []
        asked = read_retry_after(self._headers.get("retry-after"), self._terms.clock())
        return error_from_response(self._status, self._headers, body, scrub=self._terms.scrub, retry_after=asked)

    def _succeed(self) -> None:
        self.finished = True
        self._terms.budget.earn(self._paid)

    def _give_up(self, error: VllmError) -> NoReturn:
        error.attempts = self._attempts
        error.request_id = error.request_id or self._headers.get("x-request-id")
        raise error
