r"""One answer: bytes in, deltas out.

`ChatStream(EVENT_STREAM).feed(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n')` is `[TextDelta("Hi")]`. A whole
response is a stream of one chunk. Deltas that arrive together leave together: neighbours of a kind are joined.

An answer is whole when each of its choices has a finish reason. One that ends before is cut, with `[DONE]` or without,
and one that ends in `abort` or `error` was cut by the server; neither is ever presented as an answer.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from msgspec.structs import replace

from vllm_connect.errors import ProtocolError, StreamInterruptedError, VllmError
from vllm_connect.protocol.chunks import ChatReader, ServerError
from vllm_connect.protocol.error_responses import error_from_event
from vllm_connect.protocol.sse import NamedEvent, SSEDecoder
from vllm_connect.response.completion import Completion, fold
from vllm_connect.response.deltas import (
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)

__all__ = ["ChatStream", "DeltaFilter", "coalesce"]

logger = logging.getLogger("vllm_connect")

EVENT_STREAM = "text/event-stream"


class DeltaFilter(Protocol):
    """What stands between the server's deltas and the caller, for one choice."""

    def push(self, delta: Delta) -> list[Delta]:
        """Take one delta of the choice and give what can be said of it now."""
        ...

    def close(self) -> list[Delta]:
        """Give what was held back."""
        ...


class ChatStream:
    """Reads one answer.

    Args:
        content_type: The media type of the reply.
        choices: How many answers were asked for.
        new_filter: Makes the filter of a choice, or None where deltas pass as they are.
        new_id: Makes an id for a tool call that the server left without one.
        coalesced: Join neighbours of a kind that arrive together.

    Attributes:
        deltas: All deltas given so far.
        done: Nothing of the answer can follow.
        failure: What went wrong; the deltas that came before it have been given.
        filters: The filter of each choice that has begun.
    """

    def __init__(
        self,
        content_type: str,
        *,
        choices: int = 1,
        new_filter: Callable[[int], DeltaFilter | None] | None = None,
        new_id: Callable[[str, int], str],
        coalesced: bool = True,
    ) -> None:
        self._reader = ChatReader(new_id)
        self._decoder = SSEDecoder() if content_type == EVENT_STREAM else None
        self._body: list[bytes] = []
        self._choices = choices
        self._new_filter = new_filter
        self.filters: dict[int, DeltaFilter | None] = {}
        self._coalesced = coalesced and self._decoder is not None
        self.deltas: list[Delta] = []
        self.done = False
        self.failure: VllmError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes and give the deltas they complete; look at `failure` afterwards."""
        if self._decoder is None:
            self._body.append(data)
            return []
        read: list[Delta] = []
        reader = self._reader
        try:
            for event in self._decoder.feed_bytes(data):
                if event == b"[DONE]":
                    self.done = True
                    break
                reader.read(event, read)
                if reader.given_up is not None:
                    raise _given_up(reader.given_up)
                if type(event) is NamedEvent and event.name == "error":
                    raise error_from_event({"message": event.decode("utf-8", "replace")})
        except ServerError as error:
            self._fail(error_from_event(error.body))
        except VllmError as error:
            self._fail(error)
        return self._give(self._filtered(read))

    def end(self) -> list[Delta]:
        """Take the end of the reply and give what was held back; look at `failure` afterwards."""
        read: list[Delta] = []
        if self._decoder is None and not self.done:
            try:
                self._reader.read(b"".join(self._body), read)
                if self._reader.given_up is not None:
                    raise _given_up(self._reader.given_up)
            except ServerError as error:
                self._fail(error_from_event(error.body))
            except VllmError as error:
                error.retryable = error.retryable or error.code == "invalid_json"
                self._fail(error)
            self._body.clear()
        deltas = self._filtered(read)
        missing = self._choices - len(self._reader.finished)
        if missing > 0 and self.failure is None:
            self._fail(self._cut())
        if not self.done and self._decoder is not None:
            logger.debug("the stream ended after the answer and without [DONE]: is there a proxy between?")
        self.done = True
        if self.failure is not None:
            for held in self.filters.values():
                deltas.extend(held.close() if held is not None else ())
        return self._give(deltas)

    def partial(self) -> Completion | None:
        """Fold what has come; None where nothing has."""
        return fold([*self.deltas, Finish("error")]) if self.deltas else None

    def _cut(self) -> VllmError:
        if self._decoder is None:
            return ProtocolError(
                "the server's answer holds no choice, or one without a finish reason: is the base URL a vLLM server?"
            )
        return StreamInterruptedError(
            "the stream ended before the answer did: the server or a proxy cut it. What came is in .partial; "
            "look at the server's log, and send the request again if the answer is still wanted"
        )

    def _fail(self, error: VllmError) -> None:
        self.failure = error
        self.done = True

    def _filtered(self, read: list[Delta]) -> list[Delta]:
        """Let what was read through the filters, joined already: what they cost, they cost for each delta."""
        if self._coalesced and len(read) > 1:
            read = coalesce(read)
        if self._new_filter is None:
            return read
        deltas: list[Delta] = []
        for delta in read:
            self._filter(delta, deltas)
        return deltas

    def _filter(self, delta: Delta, deltas: list[Delta]) -> None:
        choice = delta.choice
        if choice is None or self._new_filter is None:
            deltas.append(delta)
            return
        if choice not in self.filters:
            self.filters[choice] = self._new_filter(choice)
        held = self.filters[choice]
        if held is None:
            deltas.append(delta)
        else:
            deltas.extend(held.push(delta))

    def _give(self, deltas: list[Delta]) -> list[Delta]:
        if self._coalesced and self._new_filter is not None and len(deltas) > 1:
            deltas = coalesce(deltas)
        self.deltas.extend(deltas)
        return deltas


def _given_up(reason: str) -> StreamInterruptedError:
    return StreamInterruptedError(
        f"the server gave the answer up (finish reason {reason}): look at its log", code="aborted"
    )


def coalesce(deltas: list[Delta]) -> list[Delta]:
    """Join neighbours of a kind.

    Args:
        deltas: Deltas in order.

    Returns:
        The same answer in fewer deltas: pieces of one text, one reasoning or one call are joined, across log
        probabilities and reports, which are joined on their own.
    """
    out: list[Delta] = []
    content: dict[int, int] = {}  # choice -> position of its last content delta
    logprobs: dict[int, int] = {}
    runs: dict[int, list[Any]] = {}  # position -> the deltas to be joined there
    run: list[Any] = []  # the one added to last, if it is of text
    run_choice: int | None = None
    for delta in deltas:
        kind = type(delta)
        choice = delta.choice
        if kind is TextDelta and run and choice == run_choice:
            run.append(delta)
            continue
        if kind is Metadata or kind is UsageReport or choice is None:
            out.append(delta)
            continue
        places = logprobs if kind is Logprobs else content
        at = places.get(choice)
        if at is not None and type(out[at]) is kind and _continues(out[at], delta):
            runs[at].append(delta)
        else:
            places[choice] = at = len(out)
            runs[at] = [delta]
            out.append(delta)
        run, run_choice = (runs[at] if kind is TextDelta else []), choice
    for at, run in runs.items():
        if len(run) > 1:
            out[at] = _joined(run)
    return out


def _continues(first: Any, delta: Any) -> bool:
    """Tell whether a delta goes on with the first of its kind and choice."""
    kind = type(delta)
    return kind is not Finish and (kind is not ToolCallDelta or (delta.index == first.index and delta.name is None))


def _joined(run: list[Any]) -> Delta:
    """Join deltas of one choice that go on with the first."""
    first = run[0]
    if isinstance(first, ToolCallDelta):
        ended = [delta.ended for delta in run if delta.ended is not None]
        arguments = "".join([delta.arguments for delta in run])
        return replace(first, arguments=arguments, ended=ended[-1] if ended else None)
    if isinstance(first, Logprobs):
        return Logprobs([token for delta in run for token in delta.tokens], first.choice)
    text = "".join([delta.text for delta in run])
    return TextDelta(text, first.choice) if isinstance(first, TextDelta) else ReasoningDelta(text, first.choice)
