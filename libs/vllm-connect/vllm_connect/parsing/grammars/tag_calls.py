r"""Calls in tags, one tag for each parameter: `<invoke name="f"><parameter name="k">v</parameter></invoke>`.

The values are bare text, converted by the tool's schema (`Tools.coerced`) unless the tag itself declares their type. The
arguments are emitted a parameter at a time, and the closing brace at the end of the call.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote

__all__ = ["Arguments", "TagCalls", "bare_name", "runs_on", "unquoted"]


class Arguments:
    """The arguments of the current call, emitted a parameter at a time.

    Args:
        scanner: The scanner that emits them.
    """

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._first = True

    def add(self, key: str, value: str) -> None:
        """Emit a parameter, whose value is JSON text."""
        self._scanner.emit_arguments(self._prefix(key) + value)

    def add_broken(self, key: str, text: str) -> None:
        """Emit a truncated or malformed parameter; the arguments are then not JSON."""
        self._scanner.emit_arguments(self._prefix(key) + quote(text)[:-1])

    def add_members(self, text: str) -> None:
        """Emit the parameters of a whole object, which is JSON text, in place of one parameter."""
        members = text.strip()[1:-1].strip()
        if members:
            self._scanner.emit_arguments(("{" if self._first else ", ") + members)
            self._first = False

    def end(self) -> None:
        """End the call."""
        self._scanner.end_call("{}" if self._first else "}")

    def _prefix(self, key: str) -> str:
        prefix = "{" if self._first else ", "
        self._first = False
        return f"{prefix}{quote(key)}: "


def unquoted(text: str) -> str:
    """Return a tag's attribute without its quotes."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def bare_name(head: str) -> tuple[str, bool | None]:
    """Read `f` or `"f"`: a name without a declared type."""
    return unquoted(head), None


def without_wrapping_newlines(text: str) -> str:
    """Return a value without the newline on each side; one that only one side has is the value's own."""
    for end in ("\r\n", "\n"):
        if text == end:
            return ""
        if text.startswith(end) and text.endswith(end):
            return text[len(end) : -len(end)]
    return text


def runs_on(value: str, parameter_start: str, head_end: str, read_key: Callable[[str], str], tools: Tools) -> bool:
    """Check whether a value whose end tag is missing runs on into another parameter.

    A start tag counts if a tool declares the parameter, or if it begins a line; any other may be quoted text.

    Args:
        value: The value, up to the next end tag of a value.
        parameter_start: What begins a parameter, up to its name.
        head_end: What follows its name.
        read_key: Reads the name between the two.
        tools: The request's tools.
    """
    at = value.find(parameter_start)
    while at >= 0:
        start = at + len(parameter_start)
        end = value.find(head_end, start, start + MAX_NAME)
        key = read_key(value[start:end]) if end >= 0 else ""
        if is_name(key) and (at == 0 or value[at - 1] == "\n" or tools.any_has_parameter(key)):
            return True
        at = value.find(parameter_start, start)
    return False


@dataclass(frozen=True)
class TagCalls:
    """A block of calls in tags, as a grammar: `block=TagCalls(...)`.

    Attributes:
        call_start: What begins a call, up to its name: `<invoke name=`.
        call_end: Ends a call.
        parameter_start: What begins a parameter, up to its name.
        parameter_end: Ends a parameter.
        block_ends: End the block.
        before: Markers that may precede a call, in this order.
        after: Markers that may follow a call, in this order.
        head_end: Ends a tag.
        read_name: Reads the tool's name out of its tag.
        wrapped: Whether a newline on each side of a value belongs to the markup.
        read_key: Reads a parameter's name out of its tag, and whether the tag declares the value to be text (True), JSON
            (False) or nothing (None).
        raw: Markers around a value that may contain anything, its end tag too; None if there are none.
        doubled_names: Whether a declared `f` may be called `f.f`.
    """

    call_start: str
    call_end: str
    parameter_start: str
    parameter_end: str
    block_ends: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    head_end: str = ">"
    read_name: Callable[[str], str] = unquoted
    wrapped: bool = False
    read_key: Callable[[str], tuple[str, bool | None]] = bare_name
    raw: tuple[str, str] | None = None
    doubled_names: bool = False

    def __call__(self, scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        """Read a block after its start marker."""
        inside = marker == self.call_start
        while True:
            if not inside:
                yield from self._accept_each(scanner, self.before)
                yield from scanner.skip_whitespace()
                if not (yield from scanner.accept(self.call_start)):
                    return False
            complete = yield from self._call(scanner, tools)
            if complete is None:
                return False
            if not complete and not (yield from self._skip_broken(scanner)):
                return False
            yield from self._accept_each(scanner, self.after)
            space = yield from scanner.skip_whitespace()
            inside = bool((yield from scanner.accept(self.call_start)))
            if inside:
                continue
            if self.before and (yield from scanner.accept(self.before[0])):
                continue
            if not (self.block_ends and (yield from scanner.accept(*self.block_ends))) and space:
                scanner.emit_text(space)
            return True

    @staticmethod
    def _accept_each(scanner: Scanner, markers: tuple[str, ...]) -> Reading[None]:
        for marker in markers:
            yield from scanner.skip_whitespace()
            yield from scanner.accept(marker)

    def _skip_broken(self, scanner: Scanner) -> Reading[bool]:
        """Read the rest of a broken call as its arguments; return False if the text ends before the call does."""
        mark = yield from scanner.forward_until((self.call_end, *self.block_ends), scanner.emit_arguments)
        if mark and mark != self.call_end:
            scanner.unread(mark)
        scanner.break_call()
        return bool(mark)

    def _call(self, scanner: Scanner, tools: Tools) -> Reading[bool | None]:
        """Read a call; return whether it was complete, None if it was not one."""
        head, end = yield from scanner.read_until(self.head_end, limit=MAX_NAME)
        name = self.read_name(head)
        first, dot, second = name.partition(".")
        if self.doubled_names and dot and first == second and tools.declares(first) and not tools.declares(name):
            name = first
        if not end or not is_name(name):
            return None
        scanner.start_call(name)
        arguments = Arguments(scanner)
        while True:
            yield from scanner.skip_whitespace()
            mark = yield from scanner.accept(self.parameter_start, self.call_end)
            if mark == self.call_end:
                arguments.end()
                return True
            if not mark or not (yield from self._parameter(scanner, tools, name, arguments)):
                return False

    def _parameter(self, scanner: Scanner, tools: Tools, name: str, arguments: Arguments) -> Reading[bool]:
        head, end = yield from scanner.read_until(self.head_end, limit=MAX_NAME)
        key, is_text = self.read_key(head)
        if not end or not (tools.has_parameter(name, key) or is_key(key)):
            arguments.add_broken(head, "")
            return False
        value_end, raw = self.parameter_end, False
        if self.raw and (yield from scanner.accept(self.raw[0])):
            value_end, raw = self.raw[1] + value_end, True
        value, end = yield from (scanner.read_until(value_end) if raw else self._value(scanner))
        if self.wrapped:
            value = without_wrapping_newlines(value)
        if end == self.call_end:
            found = tools.coerced_strictly(name, key, value)
            scanner.unread(end)
            if found is None:
                arguments.add_broken(key, value)
                return False
            arguments.add(key, found)
            return True
        if not end or (not raw and self._runs_on(value, tools)):
            arguments.add_broken(key, value + end)
            return False
        members = tools.wrapped_arguments(name, key, value)
        if members is not None:
            arguments.add_members(members)
        elif is_text is None:
            arguments.add(key, tools.coerced(name, key, value))
        else:
            arguments.add(key, tools.coerced_as(name, key, value, is_text=is_text))
        return True

    def _value(self, scanner: Scanner) -> Reading[tuple[str, str]]:
        """Read a value up to its end tag, or to the end of its call where its own is missing."""
        pieces: list[str] = []
        while True:
            piece, mark = yield from scanner.read_until(self.parameter_end, self.call_end)
            pieces.append(piece)
            if mark != self.call_end:
                return "".join(pieces), mark
            space = yield from scanner.skip_whitespace()
            following = yield from scanner.accept(*self.block_ends, self.call_start, *self.after, *self.before[:1])
            if following or not (yield from scanner.peek()):
                scanner.unread(following)
                scanner.unread(space)
                return "".join(pieces), mark
            pieces += [mark, space]

    def _runs_on(self, value: str, tools: Tools) -> bool:
        return runs_on(value, self.parameter_start, self.head_end, lambda head: self.read_key(head)[0], tools)
