r"""Calls in tags, one tag for each parameter: `<invoke name="f"><parameter name="k">v</parameter></invoke>`.

The values are bare text, converted by the tool's schema (`Tools.coerced`) unless the tag itself declares their type. The
arguments are emitted a parameter at a time, and the closing brace at the end of the call. One JSON object may stand in place of
the parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from vllm_connect.parsing.grammars.broken_calls import skip_broken_call, skip_empty_block
from vllm_connect.parsing.grammars.header_calls import is_key, is_name, json_arguments
from vllm_connect.parsing.grammars.parameters import Arguments, ParameterTags
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["TagCalls", "bare_name", "unquoted"]


def unquoted(text: str) -> str:
    """Return a tag's attribute without its quotes."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def bare_name(head: str) -> tuple[str, bool | None]:
    """Read `f` or `"f"`: a name without a declared type."""
    return unquoted(head), None


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
        if not inside and (yield from skip_empty_block(scanner, self.block_ends)):
            return False
        while True:
            if not inside:
                yield from self._accept_each(scanner, self.before)
                yield from scanner.skip_whitespace()
                if not (yield from scanner.accept(self.call_start)):
                    return False
            complete = yield from self._call(scanner, tools)
            if complete is None:
                return False
            if not complete and not (yield from skip_broken_call(scanner, (self.call_end,), self.block_ends)):
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

    def _call(self, scanner: Scanner, tools: Tools) -> Reading[bool | None]:
        """Read a call; return whether it was complete, None if it was not one."""
        head, end = yield from scanner.read_until(self.head_end, limit=MAX_NAME)
        name = self.read_name(head)
        first, dot, second = name.partition(".")
        if self.doubled_names and dot and first == second and tools.declares(first) and not tools.declares(name):
            name = first
        if not end or not is_name(name):
            return None
        return (yield from self.read_parameters(scanner, tools, scanner.start_call(name)))

    def read_parameters(self, scanner: Scanner, tools: Tools, name: str) -> Reading[bool]:
        """Read the parameters and the end of the current call; return whether it was complete."""
        arguments = Arguments(scanner, tools, name)
        while True:
            yield from scanner.skip_whitespace()
            mark = yield from scanner.accept(self.parameter_start, self.call_end)
            if not mark and arguments.keys and (yield from self._ends_early(scanner)):
                mark = self.call_end
            if mark == self.call_end:
                arguments.end()
                return True
            if not mark and not arguments.keys and (yield from scanner.peek()) == "{":
                return (yield from self._json(scanner))
            if not mark or not (yield from self._parameter(scanner, arguments)):
                return False

    def _parameter(self, scanner: Scanner, arguments: Arguments) -> Reading[bool]:
        tools, name = arguments.tools, arguments.tool
        head, end = yield from scanner.read_until(self.head_end, limit=MAX_NAME)
        key, is_text = self.read_key(head)
        if not end or not (tools.has_parameter(name, key) or is_key(key)):
            arguments.add_broken(head, "")
            return False

        def add(value: str) -> None:
            members = tools.wrapped_arguments(name, key, value)
            if members is not None:
                arguments.add_members(key, members)
            elif is_text is None:
                arguments.add(key, tools.coerced(name, key, value))
            else:
                arguments.add(key, tools.coerced_as(name, key, value, is_text=is_text))

        if self.raw and (yield from scanner.accept(self.raw[0])):
            value, end = yield from scanner.read_until(self.raw[1] + self.parameter_end)
            if not end:
                arguments.add_broken(key, value)
                return False
            add(value)
            return True
        return (yield from self._tags.read_value(scanner, key, arguments, add))

    def _json(self, scanner: Scanner) -> Reading[bool]:
        """Read arguments that are JSON in place of parameters, and the end of the call."""
        if not (yield from json_arguments(scanner)):
            return False
        yield from scanner.skip_whitespace()
        yield from scanner.accept(self.call_end)
        return True

    def _ends_early(self, scanner: Scanner) -> Reading[bool]:
        """Check whether the end of the block, or the next call, shows that a call is whole whose end tag is missing."""
        mark = yield from scanner.accept(*self._following)
        scanner.unread(mark)
        return bool(mark)

    @cached_property
    def _following(self) -> tuple[str, ...]:
        return (*self.block_ends, self.call_start) if self.call_start else self.block_ends

    @cached_property
    def _tags(self) -> ParameterTags:
        return ParameterTags(
            self.parameter_start,
            self.head_end,
            self.parameter_end,
            self.call_end,
            (*self._following, *self.after, *self.before[:1]),
            lambda head: self.read_key(head)[0],
            self.wrapped,
        )
