r"""One answer: bytes in, deltas out.

`ChatStream(EVENT_STREAM).feed(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n')` is `[TextDelta("Hi")]`. A whole
response is a stream of one chunk. Deltas that arrive together leave together: neighbours of a kind are joined.

An answer is whole when each of its choices has a finish reason. One that ends before is cut, with `[DONE]` or without,
and one that ends in `abort` or `error` was cut by the server; neither is ever presented as an answer.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from vllm_connect.completion import Completion, fold
from vllm_connect.deltas import (
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)
from vllm_connect.errors import ProtocolError, StreamInterruptedError, VllmError
from vllm_connect.wire.chat import ChatReader, ServerError
from vllm_connect.wire.failures import in_stream_failure
from vllm_connect.wire.sse import NamedEvent, SSEDecoder

__all__ = ["ChatStream", "DeltaFilter", "coalesce"]

EVENT_STREAM = "text/event-stream"
CUT = frozenset({"abort", "error"})


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
        self._coalesced = coalesced
        self.deltas: list[Delta] = []
        self.done = False
        self.failure: VllmError | None = None

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes and give the deltas they complete; look at `failure` afterwards."""
        if self._decoder is None:
            self._body.append(data)
            return []
        deltas: list[Delta] = []
        try:
            for event in self._decoder.feed_bytes(data):
                if event == b"[DONE]":
                    self.done = True
                    break
                self._read(event, deltas)
        except VllmError as error:
            self._fail(error)
        return self._give(deltas)

    def end(self) -> list[Delta]:
        """Take the end of the reply and give what was held back; look at `failure` afterwards."""
        deltas: list[Delta] = []
        if self._decoder is None and not self.done:
            try:
                self._read(b"".join(self._body), deltas)
            except VllmError as error:
                error.retryable = error.retryable or error.code == "invalid_json"
                self._fail(error)
            self._body.clear()
        self.done = True
        missing = self._choices - len(self._reader.finished)
        if missing > 0 and self.failure is None:
            self._fail(self._cut())
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

    def _read(self, event: bytes, deltas: list[Delta]) -> None:
        try:
            read = self._reader.read(event)
        except ServerError as error:
            raise in_stream_failure(error.body) from None
        if type(event) is NamedEvent and event.name == "error":
            raise in_stream_failure({"message": event.decode("utf-8", "replace")})
        if self._new_filter is None:
            deltas.extend(read)
        else:
            for delta in read:
                self._filter(delta, deltas)
        for delta in read:
            if type(delta) is Finish and delta.reason in CUT:
                raise StreamInterruptedError(
                    f"the server gave the answer up (finish reason {delta.reason}): look at its log", code="aborted"
                )

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
        if self._coalesced and len(deltas) > 1:
            deltas = coalesce(deltas)
        self.deltas.extend(deltas)
        return deltas


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
    for delta in deltas:
        kind = type(delta)
        if kind is Metadata or kind is UsageReport or delta.choice is None:
            out.append(delta)
            continue
        places = logprobs if kind is Logprobs else content
        at = places.get(delta.choice)
        joined = None if at is None else _joined(out[at], delta)
        if joined is None or at is None:
            places[delta.choice] = len(out)
            out.append(delta)
        else:
            out[at] = joined
    return out


def _joined(first: Delta, second: Delta) -> Delta | None:
    """Join two deltas of one choice, or None where they do not go together."""
    if isinstance(first, TextDelta) and isinstance(second, TextDelta):
        return TextDelta(first.text + second.text, first.choice)
    if isinstance(first, ReasoningDelta) and isinstance(second, ReasoningDelta):
        return ReasoningDelta(first.text + second.text, first.choice)
    if isinstance(first, Logprobs) and isinstance(second, Logprobs):
        return Logprobs([*first.tokens, *second.tokens], first.choice)
    if isinstance(first, ToolCallDelta) and isinstance(second, ToolCallDelta):
        if second.index != first.index or second.name is not None:
            return None
        return replace(
            first,
            arguments=first.arguments + second.arguments,
            ended=first.ended if second.ended is None else second.ended,
        )
    return None
