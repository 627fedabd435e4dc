r"""Calls that are a name and pairs of tags: `f<arg_key>k</arg_key><arg_value>v</arg_value></tool_call>`.

The values are bare text, typed by the tool's schema; white space between the tags means nothing.
"""

import itertools
from dataclasses import dataclass

from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.grammars.tag_calls import Arguments, runs_on
from vllm_connect.parsing.scanner import MAX_NAME, SPACE, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["PairCalls"]


@dataclass(frozen=True)
class PairCalls:
    """A block of calls in pairs, as a grammar: `block=PairCalls()`.

    Attributes:
        call: Begins a call; a block whose opener this is holds calls only.
        call_end: Ends a call.
        name_end: A word that may end the name.
        key, key_end, value, value_end: The tags of a pair.
        kind, kind_end: The tags of a value's type, which may stand before it; the tool's schema knows better.
        block_ends: End the block.
    """

    call: str = "<tool_call>"
    call_end: str = "</tool_call>"
    name_end: str | None = None
    key: str = "<arg_key>"
    key_end: str = "</arg_key>"
    value: str = "<arg_value>"
    value_end: str = "</arg_value>"
    kind: str | None = None
    kind_end: str = ""
    block_ends: tuple[str, ...] = ()

    def __call__(self, scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        """Read a block after its opener."""
        inside = opener == self.call
        while True:
            yield from scanner.space()
            if not inside and not (yield from scanner.find(self.call)):
                return False
            if not (yield from self._call(scanner, tools)):
                return False
            inside = False
            if not self.block_ends:
                return True
            space = yield from scanner.space()
            mark = yield from scanner.find(self.call, *self.block_ends)
            inside = mark == self.call
            if not inside:
                if not mark and space:
                    scanner.text(space)
                return True

    def _call(self, scanner: Scanner, tools: Tools) -> Reading[bool]:
        ends = (self.key, self.call_end, *([self.name_end] if self.name_end else []))
        head, mark = yield from scanner.up_to(*ends, limit=MAX_NAME)
        name = head.strip()
        if not mark or not is_name(name):
            return False
        scanner.begin(name)
        arguments = Arguments(scanner)
        while mark != self.call_end:
            if mark == self.key and not (yield from self._pair(scanner, tools, name, arguments)):
                return False
            yield from scanner.space()
            mark = yield from scanner.find(self.key, self.call_end)
            if not mark:
                return False
        arguments.end()
        return True

    def _pair(self, scanner: Scanner, tools: Tools, name: str, arguments: Arguments) -> Reading[bool]:
        key, mark = yield from scanner.up_to(self.key_end, limit=MAX_NAME)
        key = key.strip()
        if not mark or not (tools.takes(name, key) or is_key(key)):
            arguments.broken(key, "")
            return False
        yield from scanner.space()
        if self.kind and (yield from scanner.find(self.kind)):
            yield from scanner.up_to(self.kind_end, limit=MAX_NAME)
            yield from scanner.space()
        if not (yield from scanner.find(self.value)):
            arguments.broken(key, "")
            return False
        value, mark = yield from scanner.up_to(self.value_end)
        if not mark or self._runs_on(value, tools):
            arguments.broken(key, value + mark)
            return False
        arguments.add(key, tools.typed(name, key, value))
        return True

    def _runs_on(self, value: str, tools: Tools) -> bool:
        """Tell whether a value holds another pair's key and the beginning of its value, or the end of a key and that."""
        if runs_on(value, self.key, self.key_end, str.strip, tools):
            return True
        around = value.split(self.key_end)
        return any(
            self.key not in before and after.lstrip(SPACE).startswith(self.value)
            for before, after in itertools.pairwise(around)
        )
