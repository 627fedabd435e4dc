r"""Parameters of calls in tags: their values, and where a value ends whose end tag is missing.

`<parameter=city>Paris</parameter>`. The value whose end tag is missing ends where the next parameter begins, if the tool declares
that one and the call does not have it yet, and its start tag begins a line or has a marker that no other text contains, unless what
precedes it resembles an end tag that is damaged; or at the end of the call, if its type shows that it is whole. Otherwise the
call is broken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from vllm_connect.parsing.grammars.header_calls import is_name
from vllm_connect.parsing.markers import TURN_ENDS
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote

__all__ = ["Arguments", "ParameterTags"]

RESEMBLING = 0.6
"""The similarity of a text with an end tag from which on it may be a damaged one."""

SPECIAL = ("<|", "<｜")
"""What the start tags of parameters begin with that are special tokens."""


class Arguments:
    """The arguments of the current call, emitted a parameter at a time.

    Args:
        scanner: The scanner that emits them.
        tools: The request's tools.
        tool: The tool's name.

    Attributes:
        keys: The names of the parameters so far.
    """

    def __init__(self, scanner: Scanner, tools: Tools, tool: str) -> None:
        self._scanner = scanner
        self.tools = tools
        self.tool = tool
        self.keys: set[str] = set()

    def add(self, key: str, value: str) -> None:
        """Emit a parameter, whose value is JSON text."""
        self._scanner.emit_arguments(self._prefix(key) + value)

    def add_broken(self, key: str, text: str) -> None:
        """Emit a truncated or malformed parameter; the arguments are then not JSON."""
        self._scanner.emit_arguments(self._prefix(key) + quote(text)[:-1])

    def add_members(self, key: str, text: str) -> None:
        """Emit the parameters of a whole object, which is JSON text, in place of one parameter."""
        members = text.strip()[1:-1].strip()
        if members:
            self._scanner.emit_arguments(("{" if not self.keys else ", ") + members)
            self.keys.add(key)

    def end(self) -> None:
        """End the call."""
        self._scanner.end_call("}" if self.keys else "{}")

    def _prefix(self, key: str) -> str:
        prefix = ", " if self.keys else "{"
        self.keys.add(key)
        return f"{prefix}{quote(key)}: "


def without_wrapping_newlines(text: str) -> str:
    """Return a value without the newline on each side; one that only one side has is the value's own."""
    for end in ("\r\n", "\n"):
        if text == end:
            return ""
        if text.startswith(end) and text.endswith(end):
            return text[len(end) : -len(end)]
    return text


@dataclass(frozen=True)
class ParameterTags:
    """The tags around a parameter and its value.

    Attributes:
        start: What begins a parameter, up to its name.
        head_end: What follows its name.
        end: Ends a value.
        call_end: Ends a call.
        following: What may follow the end of a call.
        read_key: Reads the name between `start` and `head_end`.
        wrapped: Whether a newline on each side of a value belongs to the markup.
        is_damaged: Checks whether the markup in a value is damaged in another way.
    """

    start: str
    head_end: str
    end: str
    call_end: str
    following: tuple[str, ...]
    read_key: Callable[[str], str]
    wrapped: bool = False
    is_damaged: Callable[[str], bool] = lambda value: False  # noqa: ARG005 - no further check

    def read_value(self, scanner: Scanner, key: str, arguments: Arguments, add: Callable[[str], None]) -> Reading[bool]:
        """Read and emit the value of a parameter.

        Args:
            scanner: The scanner, after the value's start tag.
            key: The parameter's name.
            arguments: The arguments of the call.
            add: Emits a whole value.

        Returns:
            Whether the value was whole; if not, it was emitted as a broken one.
        """
        tools, name = arguments.tools, arguments.tool
        value, end = yield from self._read(scanner)
        at, following = self._next_parameter(value, tools)
        is_next = at >= 0 and tools.has_parameter(name, following) and following not in arguments.keys | {key}
        if is_next and self._ends_value(value, at):
            scanner.unread(value[at:] + end)
            text = value[:at].rstrip("\r\n")
            add(text.removeprefix("\n") if self.wrapped else text)
            return True
        if self.wrapped:
            value = without_wrapping_newlines(value)
        if end == self.call_end:
            scanner.unread(end)
            found = tools.coerced_strictly(name, key, value)
            if found is None:
                arguments.add_broken(key, value)
                return False
            arguments.add(key, found)
            return True
        if not end or at >= 0 or self.is_damaged(value):
            arguments.add_broken(key, value + end)
            return False
        add(value)
        return True

    def _read(self, scanner: Scanner) -> Reading[tuple[str, str]]:
        """Read a value up to its end tag, or to the end of its call where its own is missing."""
        pieces: list[str] = []
        while True:
            piece, mark = yield from scanner.read_until(self.end, self.call_end)
            pieces.append(piece)
            if mark != self.call_end:
                return "".join(pieces), mark
            space = yield from scanner.skip_whitespace()
            following = yield from scanner.accept(*self.following, *TURN_ENDS)
            if following or not (yield from scanner.peek()):
                scanner.unread(following)
                scanner.unread(space)
                return "".join(pieces), mark
            pieces += [mark, space]

    def _next_parameter(self, value: str, tools: Tools) -> tuple[int, str]:
        """Find the start tag of another parameter in a value whose end tag is missing; -1 and no name without one.

        A start tag counts if a tool declares the parameter, or if it begins a line; any other may be quoted text.
        """
        at = value.find(self.start)
        while at >= 0:
            start = at + len(self.start)
            end = value.find(self.head_end, start, start + MAX_NAME)
            key = self.read_key(value[start:end]) if end >= 0 else ""
            if is_name(key) and (at == 0 or value[at - 1] == "\n" or tools.any_has_parameter(key)):
                return at, key
            at = value.find(self.start, start)
        return -1, ""

    def _ends_value(self, value: str, at: int) -> bool:
        """Check whether a value whose end tag is missing, and not damaged, ends where another parameter begins."""
        if at > 0 and value[at - 1] != "\n" and not self.start.startswith(SPECIAL):
            return False
        tail = value[:at].rstrip()[-len(self.end) :]
        return SequenceMatcher(None, tail, self.end, autojunk=False).ratio() < RESEMBLING
