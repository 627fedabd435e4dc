"""Text that is still growing, and how a grammar reads it.

A grammar is a generator over a `Scanner`: it reads like the format's documentation, and wherever it needs more text than
has come it yields and goes on later. What it reads it consumes, so a cut of the text between two pushes changes nothing,
nothing is searched twice, and only what a marker may begin with is held back.

    found = yield from scanner.until(("<tool_call>",), scanner.text)   # text passes through up to the marker

What a grammar says goes out as deltas through the same object. Until it has named a call, it may return False, and
everything since its opener comes out as the text it was.
"""

import re
from collections.abc import Callable, Generator
from json import JSONDecodeError, loads
from typing import TypeVar

from vllm_connect.parsing.markers import stops_of
from vllm_connect.response.deltas import Delta, ReasoningDelta, TextDelta, ToolCallDelta

__all__ = ["MAX_NAME", "SPACE", "Reading", "Scanner"]

T = TypeVar("T")
Reading = Generator[None, None, T]
"""A piece of grammar: yields where it needs more text, and returns what it read."""

MAX_NAME = 1024
"""Characters of a tool's or a parameter's name; a longer one is text."""

SPACE = " \t\r\n"

CLOSES = ("", "}", "]", '"')
"""What, left over, would make broken arguments look whole."""

_IN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]]')
_SCALAR_END = re.compile(r"[,}\]\s<]")


class Scanner:
    """Reads growing text and says what it means.

    Args:
        choice: The choice that the deltas are of.
        new_id: Makes an id, from a tool's name and the call's index.
        between: Characters that mean nothing between two calls and after the last.

    Attributes:
        deltas: What was said and not yet taken.
        calls: How many calls have been named.
        steps: How many times the text was looked at; grows with the text and never faster.
    """

    def __init__(self, choice: int, new_id: Callable[[str, int], str], between: str = SPACE) -> None:
        self._between = between
        self._choice = choice
        self._new_id = new_id
        self._text = ""
        self._at = 0
        self._closed = False
        self._tape: list[str] | None = None
        self._space = ""
        self._after_call = False
        self._held: list[Delta] | None = None
        self._held_from = 0
        self._open = False
        self.deltas: list[Delta] = []
        self.calls = 0
        self.steps = 0

    # The text

    def feed(self, text: str) -> None:
        """Add text."""
        self._text = self._text[self._at :] + text if self._at < len(self._text) else text
        self._at = 0

    def pass_by(self, text: str) -> None:
        """Say text that has been looked at, and in which there is nothing to read; none is waiting."""
        self.steps += 1
        self.text(text)

    def close(self) -> None:
        """Say that no more text comes."""
        self._closed = True

    def _more(self) -> Reading[bool]:
        """Wait for more text; False if there is none."""
        before = len(self._text) - self._at
        while not self._closed:
            yield
            if len(self._text) - self._at > before:
                return True
        return False

    def take(self, count: int) -> str:
        """Consume characters that are there."""
        piece = self._text[self._at : self._at + count]
        self._at += len(piece)
        if self._tape is not None and piece:
            self._tape.append(piece)
        return piece

    def back(self, word: str) -> None:
        """Give back the word that was consumed last."""
        self._at -= len(word)
        if self._tape:
            self._tape.pop()

    def peek(self) -> Reading[str]:
        """Look at the next character; empty at the end."""
        self.steps += 1
        if self._at < len(self._text) or (yield from self._more()):
            return self._text[self._at]
        return ""

    def find(self, *words: str) -> Reading[str]:
        """Look whether one of some words comes next.

        Args:
            words: The words; none is the beginning of another.

        Returns:
            The word, consumed; empty if none comes.
        """
        while True:
            self.steps += 1
            undecided = False
            for word in words:
                ahead = self._text[self._at : self._at + len(word)]
                if ahead == word:
                    return self.take(len(word))
                undecided = undecided or word.startswith(ahead)
            if not undecided or not (yield from self._more()):
                return ""

    def space(self) -> Reading[str]:
        """Consume white space."""
        pieces = []
        while (yield from self.peek()) in SPACE and self._at < len(self._text):
            end = self._at
            while end < len(self._text) and self._text[end] in SPACE:
                end += 1
            pieces.append(self.take(end - self._at))
        return "".join(pieces)

    def until(self, stops: tuple[str, ...], pass_on: Callable[[str], None]) -> Reading[str]:
        """Pass text on up to the first of some words.

        Args:
            stops: The words; none is the beginning of another.
            pass_on: Takes the text in pieces as it comes.

        Returns:
            The word, consumed; empty at the end of the text.
        """
        found = stops_of(stops)
        while True:
            self.steps += 1
            match = found.pattern.search(self._text, self._at)
            if match is not None and found.nested and not self._closed:
                keep = found.kept(self._text, self._at)
                if len(self._text) - keep < match.start():  # a longer word began before it, and may yet be whole
                    if (free := len(self._text) - self._at - keep) > 0:
                        pass_on(self.take(free))
                    yield from self._more()
                    continue
            if match is not None:
                if match.start() > self._at:
                    pass_on(self.take(match.start() - self._at))
                return self.take(match.end() - match.start())
            keep = 0 if self._closed else found.kept(self._text, self._at)
            if (free := len(self._text) - self._at - keep) > 0:
                pass_on(self.take(free))
            if not (yield from self._more()):
                if self._at < len(self._text):
                    pass_on(self.take(len(self._text) - self._at))
                return ""

    def rest(self, pass_on: Callable[[str], None]) -> Reading[None]:
        """Pass all text on."""
        while True:
            if self._at < len(self._text):
                pass_on(self.take(len(self._text) - self._at))
            if not (yield from self._more()):
                return

    def up_to(self, *stops: str, limit: int | None = None) -> Reading[tuple[str, str]]:
        """Read text up to the first of some words.

        Args:
            stops: The words; none is the beginning of another.
            limit: Characters at which to give up.

        Returns:
            The text, and the word, consumed; the word is empty at the end of the text or the limit.
        """
        pieces: list[str] = []
        if limit is None:
            stop = yield from self.until(stops, pieces.append)
            return "".join(pieces), stop
        found = stops_of(stops)
        size = 0
        while size <= limit:
            self.steps += 1
            match = found.pattern.search(self._text, self._at, self._at + limit + len(max(stops, key=len)))
            if match is not None:
                pieces.append(self.take(match.start() - self._at))
                return "".join(pieces), self.take(match.end() - match.start())
            keep = 0 if self._closed else found.kept(self._text, self._at)
            pieces.append(self.take(max(0, min(len(self._text) - self._at - keep, limit + 1 - size))))
            size += len(pieces[-1])
            if size <= limit and not (yield from self._more()):
                break
        return "".join(pieces), ""

    # JSON

    def json_string(self) -> Reading[str | None]:
        """Read a JSON string of a name's length; None if what comes is none."""
        if not (yield from self.find('"')):
            return None
        pieces = ['"']
        size = 0
        while size <= MAX_NAME:
            self.steps += 1
            match = _IN_STRING.search(self._text, self._at)
            if match is None:
                pieces.append(self.take(len(self._text) - self._at))
                size += len(pieces[-1])
                if not (yield from self._more()):
                    return None
                continue
            pieces.append(self.take(match.end() - self._at))
            size += len(pieces[-1])
            if match.group() == '"':
                try:
                    text = loads("".join(pieces))
                except JSONDecodeError:
                    return None
                return text if isinstance(text, str) else None
            if not (yield from self.peek()):
                return None
            pieces.append(self.take(1))
        return None

    def json_value(self, pass_on: Callable[[str], None]) -> Reading[str | None]:
        """Pass a JSON value on verbatim, all but the character that ends it.

        Args:
            pass_on: Takes the text in pieces as it comes.

        Returns:
            The last character, empty for a number or a name; None if the text ended before the value.
        """
        first = yield from self.peek()
        if first in "{[" and first:
            return (yield from self.json_rest(0, pass_on))
        if first == '"':
            pass_on(self.take(1))
            return '"' if (yield from self._string_rest(pass_on, keep_end=True)) else None
        while True:
            self.steps += 1
            match = _SCALAR_END.search(self._text, self._at)
            if match is not None:
                pass_on(self.take(match.start() - self._at))
                return ""
            pass_on(self.take(len(self._text) - self._at))
            if not (yield from self._more()):
                return None

    def json_rest(self, depth: int, pass_on: Callable[[str], None]) -> Reading[str | None]:
        """Pass the rest of an object or array on, from inside `depth` of them; see `json_value`."""
        while True:
            self.steps += 1
            match = _OUTSIDE.search(self._text, self._at)
            if match is None:
                if piece := self.take(len(self._text) - self._at):
                    pass_on(piece)
                if not (yield from self._more()):
                    return None
                continue
            mark = match.group()
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark, 0)
            if depth <= 0 and mark != '"':
                if match.start() > self._at:
                    pass_on(self.take(match.start() - self._at))
                return self.take(1)
            pass_on(self.take(match.end() - self._at))
            if mark == '"' and not (yield from self._string_rest(pass_on)):
                return None

    def _string_rest(self, pass_on: Callable[[str], None], *, keep_end: bool = False) -> Reading[bool]:
        while True:
            self.steps += 1
            match = _IN_STRING.search(self._text, self._at)
            if match is None:
                if piece := self.take(len(self._text) - self._at):
                    pass_on(piece)
                if not (yield from self._more()):
                    return False
                continue
            if match.group() == '"':
                end = match.start() if keep_end else match.end()
                if end > self._at:
                    pass_on(self.take(end - self._at))
                if keep_end:
                    self.take(1)
                return True
            if match.end() == len(self._text) and not (yield from self._more()):
                pass_on(self.take(len(self._text) - self._at))
                return False
            pass_on(self.take(_IN_STRING.search(self._text, self._at).end() + 1 - self._at))  # type: ignore[union-attr] # the backslash is still there

    # What is said

    def text(self, piece: str) -> None:
        """Say text; white space between two calls, or after the last, is not said."""
        if self._after_call:
            self._space += piece
            if not self._space.strip(self._between):
                return
            piece, self._space, self._after_call = self._space, "", False
        self.deltas.append(TextDelta(piece, self._choice))

    def reasoning(self, piece: str) -> None:
        """Say reasoning."""
        self.deltas.append(ReasoningDelta(piece, self._choice))

    def begin(self, name: str, id: str | None = None) -> None:  # noqa: A002 - the wire's name
        """Name a call; it can never be taken back."""
        self._said()
        self._space, self._after_call, self._open = "", True, True
        index = self.calls
        self.calls += 1
        self._say(ToolCallDelta(index, id or self._new_id(name, index), name, "", self._choice, ended=False))

    def arguments(self, piece: str) -> None:
        """Say a piece of the open call's arguments."""
        if piece:
            self._say(ToolCallDelta(self.calls - 1, None, None, piece, self._choice, ended=False))
            self._said()

    def end(self, piece: str = "") -> None:
        """End the open call, with the last piece of its arguments."""
        self._open = False
        self._say(ToolCallDelta(self.calls - 1, None, None, piece, self._choice, ended=True))
        self._said()

    def _said(self) -> None:
        """Forget what was consumed, since it has been said, unless all of it may yet turn out to be text."""
        if self._tape and self._held is None:
            self._tape.clear()

    def _say(self, delta: Delta) -> None:
        (self.deltas if self._held is None else self._held).append(delta)

    # Trying

    def attempt(self, opener: str, *, hold: bool) -> None:
        """Begin a block of markup that may turn out to be text.

        Args:
            opener: What was consumed of it already.
            hold: Say its calls only when it has been accepted.
        """
        self._tape = [opener] if opener else []
        self._held = [] if hold else None
        self._held_from = self.calls

    def keep(self, piece: str) -> None:
        """Put text that was consumed before the call was named among what is not said yet."""
        if piece and self._tape is not None and self._held is None:
            self._tape.insert(0, piece)

    def held_calls(self) -> list[Delta]:
        """Give the calls that wait to be accepted."""
        return self._held or []

    def accept(self) -> None:
        """End the block: it was markup."""
        self.deltas.extend(self._held or ())
        self._held = self._tape = None

    def reject(self) -> None:
        """End the block: what was not said is text, or a piece of the call that broke."""
        broken = self._open and self._held is None
        if self._held is not None:
            self.calls = self._held_from
            self._after_call = self._after_call and self.calls > 0
        self._held = None
        self._open = False
        piece = "".join(self._tape or ())
        self._tape = None
        if not broken and piece:
            self.text(piece)
        elif piece.strip() not in CLOSES:
            self.arguments(piece)
