r"""Calls that are a name and pairs of tags: `f<arg_key>k</arg_key><arg_value>v</arg_value></tool_call>`.

The values are bare text, converted by the tool's schema; whitespace between the tags is ignored.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

from vllm_connect.parsing.grammars.broken_calls import skip_broken_call, skip_empty_block
from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.grammars.parameters import Arguments, ParameterTags
from vllm_connect.parsing.scanner import MAX_NAME, WHITESPACE, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["PairCalls"]


@dataclass(frozen=True)
class PairCalls:
    """A block of calls in pairs, as a grammar: `block=PairCalls()`.

    Attributes:
        call_start: Begins a call; it may be the start marker of the block.
        call_end: Ends a call.
        name_end: A marker that may end the name.
        key_start, key_end, value_start, value_end: The tags of a pair.
        type_start, type_end: The tags of a value's type, which may precede it; the tool's schema has precedence.
        block_ends: End the block.
    """

    call_start: str = "<tool_call>"
    call_end: str = "</tool_call>"
    name_end: str | None = None
    key_start: str = "<arg_key>"
    key_end: str = "</arg_key>"
    value_start: str = "<arg_value>"
    value_end: str = "</arg_value>"
    type_start: str | None = None
    type_end: str = ""
    block_ends: tuple[str, ...] = ()

    def __call__(self, scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        """Read a block after its start marker."""
        inside = marker == self.call_start
        if (yield from skip_empty_block(scanner, (self.call_end,) if inside else self.block_ends)):
            return False
        while True:
            yield from scanner.skip_whitespace()
            if not inside and not (yield from scanner.accept(self.call_start)):
                return False
            complete = yield from self._call(scanner, tools)
            if complete is None:
                return False
            if not complete and not (yield from skip_broken_call(scanner, (self.call_end,), self.block_ends)):
                return False
            inside = False
            if not self.block_ends:
                return True
            space = yield from scanner.skip_whitespace()
            following = yield from scanner.accept(self.call_start, *self.block_ends)
            inside = following == self.call_start
            if not inside:
                if not following and space:
                    scanner.emit_text(space)
                return True

    def _call(self, scanner: Scanner, tools: Tools) -> Reading[bool | None]:
        """Read a call; return whether it was complete, None if it was not one."""
        ends = (self.key_start, self.call_end, *([self.name_end] if self.name_end else []))
        head, mark = yield from scanner.read_until(*ends, limit=MAX_NAME)
        name = head.strip()
        if not mark or not is_name(name):
            return None
        name = scanner.start_call(name)
        arguments = Arguments(scanner, tools, name)
        while mark != self.call_end:
            if mark == self.key_start and not (yield from self._pair(scanner, arguments)):
                return False
            yield from scanner.skip_whitespace()
            mark = yield from scanner.accept(self.key_start, self.call_end)
            if not mark:
                return False
        arguments.end()
        return True

    def _pair(self, scanner: Scanner, arguments: Arguments) -> Reading[bool]:
        key, mark = yield from scanner.read_until(self.key_end, limit=MAX_NAME)
        key = key.strip()
        if not mark or not (arguments.tools.has_parameter(arguments.tool, key) or is_key(key)):
            arguments.add_broken(key, "")
            return False
        yield from scanner.skip_whitespace()
        if self.type_start and (yield from scanner.accept(self.type_start)):
            yield from scanner.read_until(self.type_end, limit=MAX_NAME)
            yield from scanner.skip_whitespace()
        if self.value_start and not (yield from scanner.accept(self.value_start)):
            arguments.add_broken(key, "")
            return False
        tools, name = arguments.tools, arguments.tool
        return (
            yield from self._tags.read_value(
                scanner, key, arguments, lambda value: arguments.add(key, tools.coerced(name, key, value))
            )
        )

    @cached_property
    def _tags(self) -> ParameterTags:
        following = (*self.block_ends, self.call_start)
        return ParameterTags(
            self.key_start,
            self.key_end,
            self.value_end,
            self.call_end,
            following,
            str.strip,
            is_damaged=self._has_stray_key,
        )

    def _has_stray_key(self, value: str) -> bool:
        """Check whether a value contains the end of another pair's key, whose start is damaged, and the start of its value."""
        parts = value.split(self.key_end)
        return any(
            self.key_start not in before and after.lstrip(WHITESPACE).startswith(self.value_start)
            for before, after in itertools.pairwise(parts)
        )
