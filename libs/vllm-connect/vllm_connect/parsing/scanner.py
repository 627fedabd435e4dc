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
from json import JSONDecodeError, loads
from typing import TypeVar

from vllm_connect.parsing.markers import compile_markers
from vllm_connect.response.deltas import Delta, ReasoningDelta, TextDelta, ToolCallDelta

__all__ = ["MAX_NAME", "WHITESPACE", "Reading", "Scanner"]

T = TypeVar("T")
Reading = Generator[None, None, T]
"""A piece of grammar: yields where it needs more text, and returns what it read."""

MAX_NAME = 1024
"""Characters of a tool's or a parameter's name; a longer one is text."""

WHITESPACE = " \t\r\n"

COMPLETING = ("", "}", "]", '"')
"""Remainders of a broken call that would make its arguments look complete."""

_IN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]]')
_SCALAR_END = re.compile(r"[,}\]\s<]")


class Scanner:
    """Reads growing text and emits deltas.

    Args:
        choice: The choice that the deltas belong to.
        new_id: Creates an id, from a tool's name and the call's index.
        ignored_between: Characters that are dropped between two calls and after the last.

    Attributes:
        deltas: The deltas that were emitted and not yet taken.
        calls: The number of calls that were started.
        steps: The number of times the text was examined; grows with the text and never faster.
    """

    def __init__(self, choice: int, new_id: Callable[[str, int], str], ignored_between: str = WHITESPACE) -> None:
        self._ignored_between = ignored_between
        self._choice = choice
        self._new_id = new_id
        self._text = ""
        self._at = 0
        self._finished = False
        self._tape: list[str] | None = None
        self._space = ""
        self._after_call = False
        self._held: list[Delta] | None = None
        self._calls_before = 0
        self._in_call = False
        self.deltas: list[Delta] = []
        self.calls = 0
        self.steps = 0

    # Input

    def push(self, text: str) -> None:
        """Add text."""
        self._text = self._text[self._at :] + text if self._at < len(self._text) else text
        self._at = 0

    def pass_through(self, text: str) -> None:
        """Emit text that was searched and holds no marker; nothing else may be waiting."""
        self.steps += 1
        self.emit_text(text)

    def finish(self) -> None:
        """Mark the end of the text."""
        self._finished = True

    def _more(self) -> Reading[bool]:
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
        if self._tape is not None and piece:
            self._tape.append(piece)
        return piece

    def unread(self, marker: str) -> None:
        """Return the marker that was consumed last to the input."""
        self._at -= len(marker)
        if self._tape:
            self._tape.pop()

    # Reading

    def peek(self) -> Reading[str]:
        """Return the next character without consuming it; empty at the end."""
        self.steps += 1
        if self._at < len(self._text) or (yield from self._more()):
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
            if not undecided or not (yield from self._more()):
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
                    yield from self._more()
                    continue
            if match is not None:
                if match.start() > self._at:
                    sink(self.consume(match.start() - self._at))
                return self.consume(match.end() - match.start())
            waiting = 0 if self._finished else compiled.partial_suffix(self._text, self._at)
            if (free := len(self._text) - self._at - waiting) > 0:
                sink(self.consume(free))
            if not (yield from self._more()):
                if self._at < len(self._text):
                    sink(self.consume(len(self._text) - self._at))
                return ""

    def forward_rest(self, sink: Callable[[str], None]) -> Reading[None]:
        """Forward all text that follows."""
        while True:
            if self._at < len(self._text):
                sink(self.consume(len(self._text) - self._at))
            if not (yield from self._more()):
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
            if size <= limit and not (yield from self._more()):
                break
        return "".join(pieces), ""

    # JSON

    def read_json_string(self) -> Reading[str | None]:
        """Read a JSON string of at most a name's length; return None if anything else comes next."""
        if not (yield from self.accept('"')):
            return None
        pieces = ['"']
        size = 0
        while size <= MAX_NAME:
            self.steps += 1
            match = _IN_STRING.search(self._text, self._at)
            if match is None:
                pieces.append(self.consume(len(self._text) - self._at))
                size += len(pieces[-1])
                if not (yield from self._more()):
                    return None
                continue
            pieces.append(self.consume(match.end() - self._at))
            size += len(pieces[-1])
            if match.group() == '"':
                try:
                    text = loads("".join(pieces))
                except JSONDecodeError:
                    return None
                return text if isinstance(text, str) else None
            if not (yield from self.peek()):
                return None
            pieces.append(self.consume(1))
        return None

    def forward_json_value(self, sink: Callable[[str], None]) -> Reading[str | None]:
        """Forward a JSON value verbatim, except for the character that ends it.

        Args:
            sink: Receives the text in pieces as it arrives.

        Returns:
            The last character, empty for a number or a literal name; None if the text ended before the value.
        """
        first = yield from self.peek()
        if first in "{[" and first:
            return (yield from self.forward_json_rest(0, sink))
        if first == '"':
            sink(self.consume(1))
            return '"' if (yield from self._forward_string_rest(sink, keep_end=True)) else None
        while True:
            self.steps += 1
            match = _SCALAR_END.search(self._text, self._at)
            if match is not None:
                sink(self.consume(match.start() - self._at))
                return ""
            sink(self.consume(len(self._text) - self._at))
            if not (yield from self._more()):
                return None

    def forward_json_rest(self, depth: int, sink: Callable[[str], None]) -> Reading[str | None]:
        """Forward the rest of an object or array, from inside `depth` of them; see `forward_json_value`."""
        while True:
            self.steps += 1
            match = _OUTSIDE.search(self._text, self._at)
            if match is None:
                if piece := self.consume(len(self._text) - self._at):
                    sink(piece)
                if not (yield from self._more()):
                    return None
                continue
            mark = match.group()
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark, 0)
            if depth <= 0 and mark != '"':
                if match.start() > self._at:
                    sink(self.consume(match.start() - self._at))
                return self.consume(1)
            sink(self.consume(match.end() - self._at))
            if mark == '"' and not (yield from self._forward_string_rest(sink)):
                return None

    def _forward_string_rest(self, sink: Callable[[str], None], *, keep_end: bool = False) -> Reading[bool]:
        while True:
            self.steps += 1
            match = _IN_STRING.search(self._text, self._at)
            if match is None:
                if piece := self.consume(len(self._text) - self._at):
                    sink(piece)
                if not (yield from self._more()):
                    return False
                continue
            if match.group() == '"':
                end = match.start() if keep_end else match.end()
                if end > self._at:
                    sink(self.consume(end - self._at))
                if keep_end:
                    self.consume(1)
                return True
            if match.end() == len(self._text) and not (yield from self._more()):
                sink(self.consume(len(self._text) - self._at))
                return False
            sink(self.consume(_IN_STRING.search(self._text, self._at).end() + 1 - self._at))  # type: ignore[union-attr] # the backslash is still there

    # Output

    def emit_text(self, piece: str) -> None:
        """Emit text; whitespace between two calls, or after the last, is dropped."""
        if self._after_call:
            self._space += piece
            if not self._space.strip(self._ignored_between):
                return
            piece, self._space, self._after_call = self._space, "", False
        self.deltas.append(TextDelta(piece, self._choice))

    def emit_reasoning(self, piece: str) -> None:
        """Emit reasoning."""
        self.deltas.append(ReasoningDelta(piece, self._choice))

    def start_call(self, name: str, id: str | None = None) -> None:  # noqa: A002 - the name in the API
        """Emit the name of a call, which is never retracted."""
        self._clear_tape()
        self._space, self._after_call, self._in_call = "", True, True
        index = self.calls
        self.calls += 1
        self._emit(ToolCallDelta(index, id or self._new_id(name, index), name, "", self._choice, ended=False))

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

    def _clear_tape(self) -> None:
        """Drop the record of what was consumed, since it was emitted, unless all of it may still turn out to be text."""
        if self._tape and self._held is None:
            self._tape.clear()

    def _emit(self, delta: Delta) -> None:
        (self.deltas if self._held is None else self._held).append(delta)

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

    def requeue(self, piece: str) -> None:
        """Add text that was consumed before the call was started to what was not emitted yet."""
        if piece and self._tape is not None and self._held is None:
            self._tape.insert(0, piece)

    def held_calls(self) -> list[Delta]:
        """Return the calls that wait for the block to be committed."""
        return self._held or []

    def commit(self) -> None:
        """End the block: it was markup."""
        self.deltas.extend(self._held or ())
        self._held = self._tape = None

    def rollback(self) -> None:
        """End the block: what was not emitted is text, or a piece of the call that broke."""
        broken = self._in_call and self._held is None
        if self._held is not None:
            self.calls = self._calls_before
            self._after_call = self._after_call and self.calls > 0
        self._held = None
        self._in_call = False
        piece = "".join(self._tape or ())
        self._tape = None
        if not broken and piece:
            self.emit_text(piece)
        elif piece.strip() not in COMPLETING:
            self.emit_arguments(piece)
