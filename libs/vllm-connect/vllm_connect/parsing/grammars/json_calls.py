"""Calls that are JSON objects: one between markers, several in an array, or bare.

`{"name": "f", "arguments": {"x": 1}}` in any order; the arguments' text is emitted verbatim as it arrives, or after the name if
they precede it. The brace that ends the arguments waits for the one that ends the call, so that a call that is truncated
between them cannot look complete.
"""

from collections.abc import Callable

from vllm_connect.parsing.format import Block
from vllm_connect.parsing.grammars.broken_calls import end_broken_call, skip_empty_block
from vllm_connect.parsing.grammars.json_text import forward_json_rest, forward_json_value, read_json_string
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote

__all__ = [
    "ARGUMENTS",
    "NAMES",
    "call_object",
    "end_marker",
    "items",
    "json_array",
    "json_bare",
    "json_objects",
    "named_object",
]

NAMES = frozenset({"name"})
ARGUMENTS = frozenset({"arguments", "parameters"})
OTHERS = frozenset({"id", "type", "function"})
"""Keys that a bare call may have beside its name and arguments; with any other it is only JSON."""

MARKED_OTHERS = OTHERS | {"description", "index", "tool_call_id"}
"""Keys without a meaning between markers."""


def call_object(
    scanner: Scanner, names: frozenset[str] = NAMES, arguments: frozenset[str] = ARGUMENTS, bare: int = 0
) -> Reading[bool]:
    """Read one call.

    Args:
        scanner: The scanner, at a brace.
        names: Keys of the tool's name.
        arguments: Keys of the arguments.
        bare: The number of open brackets after the brace, if nothing but the keys makes an object a call; an object
            with a key that no call has is then text, up to the last of these brackets. 0 between markers.

    Returns:
        Whether the object was complete and a call.
    """
    if not (yield from scanner.accept("{")):
        return False
    call = _Call(scanner, names, arguments)
    while True:
        yield from scanner.skip_whitespace()
        key = yield from read_json_string(scanner)
        if key is None or not (yield from _colon(scanner)):
            return call.end(complete=False)
        if bare and key not in names | arguments | OTHERS:
            yield from _forward_as_text(scanner, bare)
            return False
        if not (yield from call.member(key)):
            return call.end(complete=False)
        yield from scanner.skip_whitespace()
        mark = yield from scanner.accept(",", "}")
        if mark != ",":
            return call.end(complete=bool(mark))


class _Call:
    """The object of a call, read a member at a time.

    Args:
        scanner: The scanner.
        names: Keys of the tool's name.
        arguments: Keys of the arguments.
    """

    def __init__(self, scanner: Scanner, names: frozenset[str], arguments: frozenset[str]) -> None:
        self._scanner = scanner
        self._names = names
        self._arguments = arguments
        self._named = self._has_arguments = self._has_other = self._invalid = False
        self._early: list[str] = []  # arguments before the name
        self._close = ""
        self._before: list[str] = []  # other members before the name

    def member(self, key: str) -> Reading[bool]:
        """Read the value of a key; return whether it was complete and of the expected type."""
        if key in self._names and not self._named:
            return (yield from self._name())
        if key in self._arguments and not self._has_arguments:
            self._has_arguments = True
            end = yield from forward_json_value(
                self._scanner, self._scanner.emit_arguments if self._named else self._early.append
            )
            self._close = end or ""
            return end is not None
        self._invalid = self._invalid or key in self._names or key in self._arguments
        self._invalid = self._invalid or (self._has_arguments and key not in MARKED_OTHERS)
        self._has_other = self._has_other or key not in MARKED_OTHERS
        if self._named:
            return (yield from forward_json_value(self._scanner, _ignore)) is not None
        self._before.append(f"{quote(key)}: ")
        end = yield from forward_json_value(self._scanner, self._before.append)
        self._before.append(f"{end or ''}, ")
        return end is not None

    def _name(self) -> Reading[bool]:
        name = yield from read_json_string(self._scanner)
        if not name:
            return False
        self._scanner.start_call(name)
        self._named = True
        for piece in self._early:
            self._scanner.emit_arguments(piece)
        return True

    def end(self, *, complete: bool) -> bool:
        """End the call.

        It is malformed with two names or arguments, and if another member may be the arguments, or a piece of them after
        an extra brace.
        """
        if not complete or not self._named or self._invalid or (self._has_other and not self._has_arguments):
            self._scanner.requeue("".join(self._before) if self._named and self._has_other else "")
            return False
        self._scanner.end_call(self._close)
        return True


def _forward_as_text(scanner: Scanner, depth: int) -> Reading[None]:
    """Emit what was read, and the rest of the brackets around it, as text."""
    scanner.rollback()
    end = yield from forward_json_rest(scanner, depth, scanner.emit_text, is_text=True)
    if end:
        scanner.emit_text(end)


def named_object(scanner: Scanner) -> Reading[bool]:
    """Read a call whose name is the only key: `{"f": {"x": 1}}`."""
    if not (yield from scanner.accept("{")):
        return False
    yield from scanner.skip_whitespace()
    name = yield from read_json_string(scanner)
    if not name or not (yield from _colon(scanner)):
        return False
    scanner.start_call(name)
    close = yield from forward_json_value(scanner, scanner.emit_arguments)
    if close is None:
        return False
    yield from scanner.skip_whitespace()
    if not (yield from scanner.accept("}")):
        return False
    scanner.end_call(close)
    return True


Item = Callable[[Scanner], Reading[bool]]


def json_objects(*end_markers: str, item: Item = call_object, before: tuple[str, ...] = ()) -> Block:
    """Build a block of one object between markers.

    Args:
        end_markers: Markers that may end the block; it may also end without one.
        item: Reads the object.
        before: Markers that may stand between the start marker and the object.
    """

    def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        del marker, tools
        if (yield from skip_empty_block(scanner, end_markers)):
            return False
        yield from scanner.skip_whitespace()
        if before and (yield from scanner.accept(*before)):
            yield from scanner.skip_whitespace()
        if not (yield from item(scanner)):
            return (yield from end_broken_call(scanner, end_markers))
        yield from end_marker(scanner, end_markers)
        return True

    return block


def json_array(*end_markers: str, item: Item = call_object) -> Block:
    """Build a block of an array of objects, or of one object alone.

    Args:
        end_markers: Markers that may end the block; it may also end without one.
        item: Reads an object.
    """

    def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        del marker, tools
        if (yield from skip_empty_block(scanner, end_markers)):
            return False
        yield from scanner.skip_whitespace()
        if (yield from scanner.peek()) == "{":
            complete = yield from item(scanner)
        else:
            complete = yield from items(scanner, item)
        if not complete:
            return (yield from end_broken_call(scanner, end_markers))
        yield from end_marker(scanner, end_markers)
        return True

    return block


def items(scanner: Scanner, item: Item) -> Reading[bool]:
    """Read an array of calls, at its bracket."""
    if not (yield from scanner.accept("[")):
        return False
    while True:
        yield from scanner.skip_whitespace()
        if not (yield from item(scanner)):
            return False
        yield from scanner.skip_whitespace()
        mark = yield from scanner.accept(",", "]")
        if mark != ",":
            return bool(mark)


def json_bare(*, array: bool) -> Block:
    """Build a block without markers: an object, or an array of objects, that only its keys make a call.

    Args:
        array: Whether the block is an array.
    """

    def item(scanner: Scanner) -> Reading[bool]:
        return (yield from call_object(scanner, bare=2 if array else 1))

    def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        del tools
        scanner.unread(marker)
        return (yield from items(scanner, item) if array else item(scanner))

    return block


def _colon(scanner: Scanner) -> Reading[bool]:
    yield from scanner.skip_whitespace()
    if not (yield from scanner.accept(":")):
        return False
    yield from scanner.skip_whitespace()
    return True


def end_marker(scanner: Scanner, markers: tuple[str, ...]) -> Reading[None]:
    """Consume an end marker and the whitespace before it, if one follows; whitespace alone is text."""
    if not markers:
        return
    space = yield from scanner.skip_whitespace()
    if not (yield from scanner.accept(*markers)) and space:
        scanner.emit_text(space)


def _ignore(piece: str) -> None:
    del piece
