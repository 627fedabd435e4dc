r"""The answer to one request: bytes in, deltas out.

`data: {"choices":[{"delta":{"content":"Hi"}}]}` is `TextDelta("Hi")`. A whole response is a stream of one chunk. Deltas that
arrive together leave together: adjacent deltas of one kind are joined.

    bytes ─▶ SSE events ─▶ chunks ─▶ deltas ─▶ filters of each choice ─▶ stages ─▶ the caller

An answer is complete when each of its choices has a finish reason. One that ends before is truncated, with `[DONE]` or
without, and one that ends in `abort` or `error` was aborted by the server; neither is ever presented as an answer.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from vllm_connect.errors import ProtocolError, StreamInterruptedError, VllmError
from vllm_connect.protocol.chunks import ChunkReader, ServerError
from vllm_connect.protocol.error_responses import error_from_event
from vllm_connect.protocol.sse import EVENT_STREAM, NamedEvent, SSEDecoder
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

__all__ = ["AnswerReader", "BodyReader", "Filter", "coalesce", "run_filters"]

logger = logging.getLogger("vllm_connect")

OK = 200
READABLE = (EVENT_STREAM, "application/json")


class Filter(Protocol):
    """A step between the server's deltas and the caller."""

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta.

        Returns:
            What can be passed on now.
        """
        ...

    def finish(self) -> list[Delta]:
        """Return what was held back: no delta follows."""
        ...


class BodyReader:
    """Reads a reply whose body is taken whole.

    Attributes:
        status: The HTTP status.
        headers: The headers, their names in lower case.
        done: Whether nothing that follows is wanted.
        deltas: Empty: such a reply is not an answer of a model.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.done = False
        self.deltas: list[Delta] = []
        self._pieces: list[bytes] = []

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Read the head of the reply."""
        self.status = status
        self.headers = headers

    def push(self, data: bytes) -> list[Delta]:
        """Read a piece of the body."""
        self._pieces.append(data)
        return []

    def finish(self) -> list[Delta]:
        """Read the end of the body."""
        return []

    def take_body(self) -> bytes:
        """Return the body, which is not kept: what reports a traceback shows the variables of its frames."""
        body, self._pieces = b"".join(self._pieces), []
        return body


class AnswerReader(BodyReader):
    """Reads a model's answer; anything else, such as an error's body, is kept whole.

    Args:
        choices: How many answers were asked for.
        new_filter: Returns the filter of a choice, or None where its deltas pass as they are.
        new_id: Returns an id for a tool call that the server left without one.
        stages: Filters of the whole answer, after those of the choices.

    Attributes:
        is_answer: Whether the reply is an answer, by its status and media type.
        deltas: The answer so far: all deltas that left the filters of the choices.
        failure: What went wrong; the deltas that came before it have been passed on.
        filters: The filter of each choice that has begun.
    """

    def __init__(
        self,
        *,
        choices: int = 1,
        new_filter: Callable[[int], Filter | None] | None = None,
        new_id: Callable[[str, int], str],
        stages: Sequence[Filter] = (),
    ) -> None:
        super().__init__()
        self._reader = ChunkReader(new_id)
        self._decoder: SSEDecoder | None = None
        self._choices = choices
        self._new_filter = new_filter
        self._stages = stages
        self.filters: dict[int, Filter | None] = {}
        self.is_answer = False
        self.failure: VllmError | None = None

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Read the head of the reply, and choose how its body is read."""
        super().begin(status, headers)
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        self.is_answer = status == OK and media_type in READABLE
        if self.is_answer and media_type == EVENT_STREAM:
            self._decoder = SSEDecoder()

    def push(self, data: bytes) -> list[Delta]:
        """Read a piece of the body.

        Returns:
            The deltas that it completes; `failure` says whether something went wrong.
        """
        if self._decoder is None:
            return super().push(data)
        read: list[Delta] = []
        reader = self._reader
        try:
            for event in self._decoder.feed_bytes(data):
                if event == b"[DONE]":
                    self.done = True
                    break
                reader.read(event, read)
                if reader.aborted is not None:
                    raise _aborted(reader.aborted)
                if type(event) is NamedEvent and event.name == "error":
                    raise error_from_event({"message": event.decode("utf-8", "replace")})
        except ServerError as error:
            self._fail(error_from_event(error.body))
        except VllmError as error:
            self._fail(error)
        return self._filtered(read)

    def finish(self) -> list[Delta]:
        """Read the end of the body.

        Returns:
            The deltas that it completes; where something went wrong, all that filters and stages held back, too.
        """
        if not self.is_answer:
            return []
        deltas: list[Delta] = []
        if self._decoder is None and not self.done:
            deltas = self._filtered(self._read_whole())
        missing = self._choices - len(self._reader.finished)
        if missing > 0 and self.failure is None:
            self._fail(self._truncated())
        if not self.done and self._decoder is not None:
            logger.debug("the stream ended after the answer and without [DONE]; a proxy may have removed it")
        self.done = True
        return deltas if self.failure is None else [*deltas, *self.release(), *self.flush()]

    def release(self) -> list[Delta]:
        """Return what the filters of the choices held back."""
        return self.pass_on([delta for each in self.filters.values() if each is not None for delta in each.finish()])

    def pass_on(self, deltas: list[Delta]) -> list[Delta]:
        """Add deltas to the answer.

        Returns:
            What of them the stages pass on.
        """
        self.deltas += deltas
        for stage in self._stages:
            deltas = [passed for delta in deltas for passed in stage.push(delta)]
        return deltas

    def flush(self) -> list[Delta]:
        """Return what the stages held back."""
        return run_filters(self._stages, [])

    def partial(self) -> Completion | None:
        """Fold what has come; None where nothing has."""
        return fold([*self.deltas, Finish("error")]) if self.deltas else None

    def _read_whole(self) -> list[Delta]:
        read: list[Delta] = []
        try:
            self._reader.read(self.take_body(), read)
            if self._reader.aborted is not None:
                raise _aborted(self._reader.aborted)
        except ServerError as error:
            self._fail(error_from_event(error.body))
        except VllmError as error:
            error.retryable = error.retryable or error.code == "invalid_json"
            self._fail(error)
        return read

    def _truncated(self) -> VllmError:
        if self._decoder is None:
            return ProtocolError(
                "the server's answer has no choice, or a choice without a finish reason: check that base_url is a vLLM server"
            )
        return StreamInterruptedError(
            "the stream ended before the answer did: the server or a proxy closed it. What arrived is in .partial; "
            "look at the server's log, and send the request again if the answer is still wanted"
        )

    def _fail(self, error: VllmError) -> None:
        self.failure = error
        self.done = True

    def _filtered(self, read: list[Delta]) -> list[Delta]:
        """Run what was read through the filters, joined before, since they cost for every delta, and after."""
        if self._decoder is not None and len(read) > 1:
            read = coalesce(read)
        if self._new_filter is not None:
            deltas: list[Delta] = []
            for delta in read:
                self._filter(delta, deltas)
            read = coalesce(deltas) if self._decoder is not None and len(deltas) > 1 else deltas
        return self.pass_on(read)

    def _filter(self, delta: Delta, deltas: list[Delta]) -> None:
        choice = delta.choice
        if choice is None or self._new_filter is None:
            deltas.append(delta)
            return
        if choice not in self.filters:
            self.filters[choice] = self._new_filter(choice)
        chosen = self.filters[choice]
        if chosen is None:
            deltas.append(delta)
        else:
            deltas.extend(chosen.push(delta))


def run_filters(filters: Sequence[Filter], deltas: list[Delta]) -> list[Delta]:
    """Run the last deltas through filters and finish each of them.

    Args:
        filters: The filters, in order.
        deltas: The deltas.

    Returns:
        What the last filter passes on, and what each held back, run through those after it.
    """
    for each in filters:
        deltas = [*(passed for delta in deltas for passed in each.push(delta)), *each.finish()]
    return deltas


def _aborted(reason: str) -> StreamInterruptedError:
    return StreamInterruptedError(
        f"the server aborted the answer (finish reason {reason}): look at its log", code="aborted"
    )


def coalesce(deltas: list[Delta]) -> list[Delta]:
    """Join adjacent deltas of one kind.

    Args:
        deltas: Deltas in order.

    Returns:
        The same answer in fewer deltas: pieces of one text, one reasoning or one call are joined, past log
        probabilities and reports, which are joined among themselves.
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
        if kind is TextDelta and run and choice == run_choice and not delta.replaces:  # type: ignore[union-attr] # a TextDelta
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
    """Check whether a delta continues the first of its kind and choice."""
    kind = type(delta)
    if kind is TextDelta or kind is ReasoningDelta:
        return not delta.replaces
    return kind is not Finish and (kind is not ToolCallDelta or (delta.index == first.index and delta.name is None))


def _joined(run: list[Any]) -> Delta:
    """Join deltas of one choice that continue the first."""
    first = run[0]
    if isinstance(first, ToolCallDelta):
        ended = [delta.ended for delta in run if delta.ended is not None]
        arguments = "".join([delta.arguments for delta in run])
        return replace(first, arguments=arguments, ended=ended[-1] if ended else None)
    if isinstance(first, Logprobs):
        return Logprobs([token for delta in run for token in delta.tokens], first.choice)
    kind = TextDelta if isinstance(first, TextDelta) else ReasoningDelta
    return kind("".join([delta.text for delta in run]), first.choice, first.replaces)
