r"""Calls in tags, one for each parameter: `<invoke name="f"><parameter name="k">v</parameter></invoke>`.

The values are bare text; the tool's schema says what they are (`Tools.typed`), unless the tag itself does. The arguments
go out a parameter at a time, and the brace that ends them when the call's own tag ends.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote, stated

__all__ = ["Arguments", "TagCalls", "bare_name", "quoted", "runs_on"]


class Arguments:
    """The arguments of the open call, said a parameter at a time.

    Args:
        scanner: Where they are said.
    """

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._first = True

    def add(self, key: str, value: str) -> None:
        """Say a parameter, whose value is JSON text."""
        self._scanner.arguments(self._lead(key) + value)

    def broken(self, key: str, text: str) -> None:
        """Say what came of a parameter that was cut; the arguments are then no JSON."""
        self._scanner.arguments(self._lead(key) + quote(text)[:-1])

    def end(self) -> None:
        """End the call."""
        self._scanner.end("{}" if self._first else "}")

    def _lead(self, key: str) -> str:
        lead = "{" if self._first else ", "
        self._first = False
        return f"{lead}{quote(key)}: "


def quoted(text: str) -> str:
    """Take the quotes off a tag's attribute."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def bare_name(head: str) -> tuple[str, bool | None]:
    """Read `f` or `"f"`: a name, and nothing about its type."""
    return quoted(head), None


def one_newline(text: str) -> str:
    """Take off the line ends that wrap a value, one and the same on each side."""
    end = "\r\n" if text.startswith("\r\n") else "\n"
    return text.removeprefix(end).removesuffix(end)


def runs_on(value: str, opener: str, head_end: str, read_key: Callable[[str], str], tools: Tools) -> bool:
    """Tell whether a value, its own end missing, runs on into another parameter.

    The beginning of a parameter that some tool has is one, and so is any that begins a line; the rest may be quoted text.

    Args:
        value: The value, up to the next end of a value.
        opener: What begins a parameter, up to its name.
        head_end: What stands after its name.
        read_key: Finds the name between the two.
        tools: The request's tools.
    """
    at = value.find(opener)
    while at >= 0:
        start = at + len(opener)
        end = value.find(head_end, start, start + MAX_NAME)
        key = read_key(value[start:end]) if end >= 0 else ""
        if is_name(key) and (at == 0 or value[at - 1] == "\n" or tools.may_take(key)):
            return True
        at = value.find(opener, start)
    return False


@dataclass(frozen=True)
class TagCalls:
    """A block of calls in tags, as a grammar: `block=TagCalls(...)`.

    Attributes:
        call: What begins a call, up to its name: `<invoke name=`.
        call_end: Ends a call.
        parameter: What begins a parameter, up to its name.
        parameter_end: Ends a parameter.
        block_ends: End the block.
        before: Words that may stand before a call, in this order.
        after: Words that may stand after a call, in this order.
        head_end: Ends a tag.
        read_name: Reads the tool's name out of its tag.
        wrapped: Whether a line end on each side of a value is not part of it.
        read_key: Reads a parameter's name out of its tag, and whether the tag says that the value is text (True), JSON
            (False) or nothing (None).
        raw: Words around a value that may hold anything, its own end too; None where there are none.
        doubled: Whether a declared `f` may be called `f.f`.
    """

    call: str
    call_end: str
    parameter: str
    parameter_end: str
    block_ends: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    head_end: str = ">"
    read_name: Callable[[str], str] = quoted
    wrapped: bool = False
    read_key: Callable[[str], tuple[str, bool | None]] = bare_name
    raw: tuple[str, str] | None = None
    doubled: bool = False

    def __call__(self, scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        """Read a block after its opener."""
        inside = opener == self.call
        while True:
            if not inside:
                yield from self._words(scanner, self.before)
                yield from scanner.space()
                if not (yield from scanner.find(self.call)):
                    return False
            if not (yield from self._call(scanner, tools)):
                return False
            yield from self._words(scanner, self.after)
            space = yield from scanner.space()
            inside = bool((yield from scanner.find(self.call)))
            if inside:
                continue
            if self.before and (yield from scanner.find(self.before[0])):
                continue
            if not (self.block_ends and (yield from scanner.find(*self.block_ends))) and space:
                scanner.text(space)
            return True

    @staticmethod
    def _words(scanner: Scanner, words: tuple[str, ...]) -> Reading[None]:
        for word in words:
            yield from scanner.space()
            yield from scanner.find(word)

    def _call(self, scanner: Scanner, tools: Tools) -> Reading[bool]:
        head, end = yield from scanner.up_to(self.head_end, limit=MAX_NAME)
        name = self.read_name(head)
        first, dot, second = name.partition(".")
        if self.doubled and dot and first == second and tools.declares(first) and not tools.declares(name):
            name = first
        if not end or not is_name(name):
            return False
        scanner.begin(name)
        arguments = Arguments(scanner)
        while True:
            yield from scanner.space()
            mark = yield from scanner.find(self.parameter, self.call_end)
            if mark == self.call_end:
                arguments.end()
                return True
            if not mark or not (yield from self._parameter(scanner, tools, name, arguments)):
                return False

    def _parameter(self, scanner: Scanner, tools: Tools, name: str, arguments: Arguments) -> Reading[bool]:
        head, end = yield from scanner.up_to(self.head_end, limit=MAX_NAME)
        key, is_text = self.read_key(head)
        if not end or not (tools.takes(name, key) or is_key(key)):
            arguments.broken(head, "")
            return False
        closer, raw = self.parameter_end, False
        if self.raw and (yield from scanner.find(self.raw[0])):
            closer, raw = self.raw[1] + closer, True
        value, end = yield from scanner.up_to(closer)
        if not end or (not raw and self._runs_on(value, tools)):
            arguments.broken(key, value + end)
            return False
        if self.wrapped:
            value = one_newline(value)
        if is_text is None:
            arguments.add(key, tools.typed(name, key, value))
        else:
            arguments.add(key, quote(value) if is_text else stated(value))
        return True

    def _runs_on(self, value: str, tools: Tools) -> bool:
        return runs_on(value, self.parameter, self.head_end, lambda head: self.read_key(head)[0], tools)
