"""Text that is still growing, and how a grammar reads it.

A grammar is a generator over a `Scanner`: it reads like the format's documentation, and wherever it needs more text than
has arrived it yields and continues later. What it reads it consumes, so a split of the text between two pushes changes
nothing, nothing is searched twice, and only what may be the start of a marker is held back.

    found = yield from scanner.forward_until(("<tool_call>",), scanner.emit_text)   # text passes through up to the marker

A grammar emits deltas through the same object. Until it has started a call, it may return False, and everything since its
start marker is emitted as text.
"""

import re
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from vllm_connect.parsing.markers import Markers, compile_markers
from vllm_connect.response.deltas import Delta, Metadata, ReasoningDelta, TextDelta, ToolCallDelta

__all__ = ["MAX_NAME", "WHITESPACE", "Reading", "Scanner", "within_sentence"]

T = TypeVar("T")
Reading = Generator[None, None, T]
"""A piece of grammar: yields where it needs more text, and returns what it read."""

MAX_NAME = 1024
"""Characters of a tool's or a parameter's name; a longer one is text."""

MANY = 1 << 62
"""More characters than a text has."""

WHITESPACE = " \t\r\n"

NEAR = 8
"""Characters before a block that show whether it stands within a sentence."""

COMPLETING = ("", "}", "]", '"')
"""Remainders of a broken call that would make its arguments look complete."""


INSIDE = frozenset("`'\",(=-*/|<[{")
"""Characters beside letters and digits after which a sentence goes on."""


def within_sentence(text: str) -> bool:
    """Check whether a sentence goes on after a text, so that markup there is quoted."""
    last = text.rstrip(" \t")[-1:]
    return last.isalnum() or last in INSIDE


def _shorten(pieces: list[str] | None, count: int) -> None:
    """Remove characters from the end of a text in pieces, as far as there are any."""
    while pieces and count > 0:
        piece = pieces.pop()
        if len(piece) > count:
            pieces.append(piece[:-count])
        count -= len(piece)


class Scanner:
    """Reads growing text and emits deltas.

    Args:
        choice: The choice that the deltas belong to.
        new_id: Creates an id, from a tool's name and the call's index.
        ignored_between: Characters that are dropped between two calls and after the last.
        declared_name: Returns the declared name that a damaged one means.

    Attributes:
        deltas: The deltas that were emitted and not yet taken.
        observe: Receives all text that is emitted, in pieces; None if nothing depends on it.
        record: Everything that is consumed, in pieces, while it is not known whether it is reasoning; None once it is known.
        calls: The number of calls that were started.
        steps: The number of times the text was examined; grows with the text and never faster.
    """

    def __init__(
        self,
        choice: int,
        new_id: Callable[[str, int], str],
        ignored_between: str = WHITESPACE,
        declared_name: Callable[[str], str] = str,
    ) -> None:
        self._declared_name = declared_name
        self._ignored_between = ignored_between
        self._choice = choice
        self._new_id = new_id
        self._text = ""
        self._at = 0
        self._dropped = self._reread = 0
        self._finished = False
        self._tape: list[str] | None = None
        self._space: list[str] = []
        self._after_call = False
        self._deferred: list[Delta] | None = None
        self._defers_calls_only = False
        self._held: list[Delta] | None = None
        self._calls_before = 0
        self._in_call = False
        self._last = ""
        self.deltas: list[Delta] = []
        self.observe: Callable[[str], None] | None = None
        self.record: list[str] | None = None
        self.calls = 0
        self.steps = 0

    # Input

    def push(self, text: str) -> None:
        """Add text."""
        self._dropped += self._at
        self._text = self._text[self._at :] + text if self._at < len(self._text) else text
        self._at = 0

    @property
    def available(self) -> int:
        """The number of characters that have arrived and were not consumed."""
        return len(self._text) - self._at

    @property
    def in_call(self) -> bool:
        """Whether a call was started and not ended."""
        return self._in_call

    @property
    def passes_text(self) -> bool:
        """Whether the next text is emitted as it is."""
        return not self._after_call and self._deferred is None and self._held is None

    def record_passed(self, pieces: list[str]) -> None:
        """Record text that was emitted as it was; nothing else may be waiting."""
        self.steps += len(pieces)
        self._dropped += sum(map(len, pieces))
        text = "".join(pieces)
        self._last += text
        if self.observe is not None:
            self.observe(text)
        if self.record is not None:
            self.record.extend(pieces)

    def pass_through(self, text: str, sink: Callable[[str], None]) -> None:
        """Forward text that was searched and has no marker; nothing else may be waiting."""
        self.steps += 1
        self._dropped += len(text)
        if self.record is not None:
            self.record.append(text)
        sink(text)

    def finish(self) -> None:
        """Mark the end of the text."""
        self._finished = True

    def more(self) -> Reading[bool]:
        """Wait for more text; return False if there is none."""
        before = len(self._text) - self._at
        while not self._finished:
            yield
            if len(self._text) - self._at > before:
                return True
        return False

    def consume(self, count: int) -> str:
        """Consume characters that have arrived."""
        piece = self._text[self._at : self._at + count]
        self._at += len(piece)
        if piece:
            if self._tape is not None:
                self._tape.append(piece)
            if self.record is not None:
                self.record.append(piece)
        return piece

    def unread(self, text: str) -> None:
        """Return the text that was consumed last to the input."""
        if len(text) <= self._at:
            self._at -= len(text)
        else:
            self._dropped += self._at - len(text)
            self._text, self._at = text + self._text[self._at :], 0
        for pieces in (self._tape, self.record):
            _shorten(pieces, len(text))

    def unrecord(self, text: str) -> None:
        """Remove the text that was consumed last from the record: it was markup."""
        _shorten(self.record, len(text))

    def position(self, back: int = 0) -> int:
        """Return the place of the record where it ends, or of so many pieces before."""
        return len(self.record or ()) - back

    def text_since(self, position: int) -> str:
        """Return what was recorded since a place."""
        return "".join((self.record or ())[position:])

    def rewind(self, text: str) -> bool:
        """Return the recorded text that was consumed last to the input; return False if that was done too often.

        No text is read again more often than there is text, so that the time stays linear.
        """
        self._reread += len(text)
        if self._reread > 2 * (self._dropped + self._at):
            return False
        self.unread(text)
        return True

    def search(self, pattern: "re.Pattern[str]") -> tuple[int, str]:
        """Search what has arrived; return how many characters precede the first match, and the match, empty without one."""
        self.steps += 1
        match = pattern.search(self._text, self._at)
        return (MANY, "") if match is None else (match.start() - self._at, match.group())

    # Reading

    def peek(self) -> Reading[str]:
        """Return the next character without consuming it; empty at the end."""
        self.steps += 1
        if self._at < len(self._text) or (yield from self.more()):
            return self._text[self._at]
        return ""

    def accept(self, *markers: str) -> Reading[str]:
        """Consume a marker if it comes next.

        Args:
            markers: The markers to accept; none is the beginning of another.

        Returns:
            The marker; empty if none comes next.
        """
        while True:
            self.steps += 1
            undecided = False
            for marker in markers:
                ahead = self._text[self._at : self._at + len(marker)]
                if ahead == marker:
                    return self.consume(len(marker))
                undecided = undecided or marker.startswith(ahead)
            if not undecided or not (yield from self.more()):
                return ""

    def skip_whitespace(self) -> Reading[str]:
        """Consume whitespace and return it."""
        pieces = []
        while (yield from self.peek()) in WHITESPACE and self._at < len(self._text):
            end = self._at
            while end < len(self._text) and self._text[end] in WHITESPACE:
                end += 1
            pieces.append(self.consume(end - self._at))
        return "".join(pieces)

    def forward_until(self, markers: tuple[str, ...], sink: Callable[[str], None]) -> Reading[str]:
        """Forward text up to the first of some markers.

        Args:
            markers: The markers; none is the beginning of another.
            sink: Receives the text in pieces as it arrives.

        Returns:
            The marker, consumed; empty at the end of the text.
        """
        compiled = compile_markers(markers)
        while True:
            self.steps += 1
            match = compiled.pattern.search(self._text, self._at)
            if match is not None and compiled.nested and not self._finished:
                waiting = compiled.partial_suffix(self._text, self._at)
                if len(self._text) - waiting < match.start():  # a longer marker began before it and may be completed
                    if (free := len(self._text) - self._at - waiting) > 0:
                        sink(self.consume(free))
                    yield from self.more()
                    continue
            if match is not None:
                if match.start() > self._at:
                    sink(self.consume(match.start() - self._at))
                return self.consume(match.end() - match.start())
            waiting = 0 if self._finished else compiled.partial_suffix(self._text, self._at)
            if (free := len(self._text) - self._at - waiting) > 0:
                sink(self.consume(free))
            if not (yield from self.more()):
                if self._at < len(self._text):
                    sink(self.consume(len(self._text) - self._at))
                return ""

    def forward_rest(self, sink: Callable[[str], None]) -> Reading[None]:
        """Forward all text that follows."""
        while True:
            if self._at < len(self._text):
                sink(self.consume(len(self._text) - self._at))
            if not (yield from self.more()):
                return

    def read_until(self, *markers: str, limit: int | None = None) -> Reading[tuple[str, str]]:
        """Read text up to the first of some markers.

        Args:
            markers: The markers; none is the beginning of another.
            limit: The number of characters after which to stop reading.

        Returns:
            The text, and the marker, consumed; the marker is empty at the end of the text or the limit.
        """
        pieces: list[str] = []
        if limit is None:
            marker = yield from self.forward_until(markers, pieces.append)
            return "".join(pieces), marker
        compiled = compile_markers(markers)
        size = 0
        while size <= limit:
            self.steps += 1
            match = compiled.pattern.search(self._text, self._at, self._at + limit + len(max(markers, key=len)))
            if match is not None:
                pieces.append(self.consume(match.start() - self._at))
                return "".join(pieces), self.consume(match.end() - match.start())
            waiting = 0 if self._finished else compiled.partial_suffix(self._text, self._at)
            pieces.append(self.consume(max(0, min(len(self._text) - self._at - waiting, limit + 1 - size))))
            size += len(pieces[-1])
            if size <= limit and not (yield from self.more()):
                break
        return "".join(pieces), ""

    # Output

    def emit_text(self, piece: str) -> None:
        """Emit text; whitespace between two calls, or after the last, is dropped."""
        if self._deferred is None or self._defers_calls_only:  # not in reasoning
            self._last = self._last[-NEAR:] + piece
            if self.observe is not None:
                self.observe(piece)
        if self._after_call:
            self._space.append(piece)
            if not piece.strip(self._ignored_between):
                return
            piece, self._after_call = "".join(self._space), False
            self._space.clear()
        if self._deferred is None:
            self.deltas.append(TextDelta(piece, self._choice))
        else:
            self._out(TextDelta(piece, self._choice))

    def emit_reasoning(self, piece: str) -> None:
        """Emit reasoning."""
        if self._deferred is None:
            self.deltas.append(ReasoningDelta(piece, self._choice))
        else:
            self._out(ReasoningDelta(piece, self._choice))

    def drop_calls(self, first: int) -> None:
        """Drop the calls from an index on, which were not emitted: they are no calls after all."""
        self.calls = first
        self._space.clear()
        self._after_call = self._after_call and first > 0

    def emit_metadata(self, values: dict[str, Any]) -> None:
        """Emit metadata of the choice."""
        self._out(Metadata(values, self._choice))

    def replace_text(self, text: str) -> None:
        """Emit all of the answer so far as text, whatever it was emitted as."""
        self._out(TextDelta(text, self._choice, replaces=True))

    def replace_reasoning(self, text: str) -> None:
        """Emit all of the answer so far as reasoning, whatever it was emitted as."""
        self._space.clear()
        self._after_call = False
        self._out(ReasoningDelta(text, self._choice, replaces=True))

    def start_call(self, name: str, id: str | None = None) -> str:  # noqa: A002 - the name in the API
        """Emit the name of a call, which is never retracted, and return it as the tools declare it."""
        name = self._declared_name(name)
        self._clear_tape()
        self._space.clear()
        self._after_call, self._in_call = True, True
        index = self.calls
        self.calls += 1
        self._emit(ToolCallDelta(index, id or self._new_id(name, index), name, "", self._choice, ended=False))
        return name

    def emit_arguments(self, piece: str) -> None:
        """Emit a piece of the current call's arguments."""
        if piece:
            self._emit(ToolCallDelta(self.calls - 1, None, None, piece, self._choice, ended=False))
            self._clear_tape()

    def end_call(self, piece: str = "") -> None:
        """End the current call, with the last piece of its arguments."""
        self._in_call = False
        self._emit(ToolCallDelta(self.calls - 1, None, None, piece, self._choice, ended=True))
        self._clear_tape()

    def break_call(self) -> None:
        """End the current call as a broken one; what was consumed and not emitted is a piece of its arguments."""
        self._in_call = False
        piece = "".join(self._tape or ()) if self._held is None else ""
        if piece.strip() not in COMPLETING:
            self.emit_arguments(piece)
        self._clear_tape()

    def emit_beside_call(self, text: str) -> None:
        """Emit text that stands between the calls of the current block, unless it is whitespace."""
        if not text.strip():
            return
        if self._held is None:
            self.emit_text(text)
        else:
            self._held.append(TextDelta(text, self._choice))

    def drop_markup(self) -> None:
        """Drop what was consumed and not emitted: it was markup, even if the rest of the block is text."""
        self._clear_tape()

    def drop_empty_block(self) -> None:
        """Drop the current block, which has nothing between its markers; within a sentence it is quoted, and text."""
        if not within_sentence(self._last[-NEAR:]):
            self.commit()

    def _clear_tape(self) -> None:
        """Drop the record of what was consumed, since it was emitted, unless all of it may still turn out to be text."""
        if self._tape and self._held is None:
            self._tape.clear()

    def _emit(self, delta: Delta) -> None:
        """Emit a delta of a call, as far as it is not held back."""
        held = self._deferred if self._held is None else self._held
        (self.deltas if held is None else held).append(delta)

    def _out(self, delta: Delta) -> None:
        if self._deferred is None or (self._defers_calls_only and not isinstance(delta, ToolCallDelta)):
            self.deltas.append(delta)
        else:
            self._deferred.append(delta)

    def defer(self, *, calls_only: bool) -> None:
        """Begin to collect calls, or all that is emitted, instead of emitting it."""
        self._deferred, self._defers_calls_only = [], calls_only

    def deferred(self) -> list[Delta]:
        """Return what was collected since `defer`, and emit again."""
        found, self._deferred = self._deferred or [], None
        return found

    # Blocks

    def begin(self, marker: str, *, hold: bool) -> None:
        """Begin a block of markup that may turn out to be text.

        Args:
            marker: The part of it that was consumed already.
            hold: Emit its calls only when the block is committed.
        """
        self._tape = [marker] if marker else []
        self._held = [] if hold else None
        self._calls_before = self.calls

    def drop_marker(self) -> None:
        """Drop the start marker of the current block, whatever follows it."""
        if self._tape:
            self._tape.pop(0)

    def hold(self) -> None:
        """Withhold the calls of the current block, so that only valid ones are emitted."""
        self._held = self._held or []

    def requeue(self, piece: str) -> None:
        """Add text that was consumed before the call was started to what was not emitted yet."""
        if piece and self._tape is not None and self._held is None:
            self._tape.insert(0, piece)

    def held_calls(self) -> list[Delta]:
        """Return the calls that wait for the block to be committed."""
        return self._held or []

    def commit(self) -> None:
        """End the block: it was markup."""
        for delta in self._held or ():
            self._out(delta)
        self._held = self._tape = None

    def rollback(self, marker: str = "", keep: Markers | None = None) -> None:
        """End the block: what was not emitted is text, or a piece of the call that broke.

        Args:
            marker: The start marker of the block.
            keep: Markers before which the text ends; what follows is read again.
        """
        broken = self._in_call and self._held is None
        if broken or self._held:
            keep = None
        if self._held is not None:
            self.calls = self._calls_before
            self._after_call = self._after_call and self.calls > 0
        self._held = None
        self._in_call = False
        piece = "".join(self._tape or ())
        self._tape = None
        after = len(marker) if piece.startswith(marker) else 0
        found = keep.pattern.search(piece, after) if keep is not None else None
        if found is not None and self.rewind(piece[found.start() :]):
            piece = piece[: found.start()]
        if not broken and piece:
            self.emit_text(piece)
        elif piece.strip() not in COMPLETING:
            self.emit_arguments(piece)
