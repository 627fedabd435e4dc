"""Calls that are JSON objects: one between markers, several in an array, or bare.

`{"name": "f", "arguments": {"x": 1}}` in the order the model likes; the arguments' text goes out verbatim as it comes,
or, where they stand before the name, when the name has come. The brace that ends the arguments waits for the one that
ends the call, so that a call that breaks off between them cannot look whole.
"""

from collections.abc import Callable

from vllm_connect.parsing.format import Block
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote

__all__ = [
    "ARGUMENTS",
    "NAMES",
    "call_object",
    "closer",
    "items",
    "json_array",
    "json_bare",
    "json_objects",
    "named_object",
]

NAMES = frozenset({"name"})
ARGUMENTS = frozenset({"arguments", "parameters"})
OTHERS = frozenset({"id", "type", "function", "description"})
"""Keys that a bare call may have beside its name and arguments; with any other it is just JSON."""

MARKED_OTHERS = OTHERS | {"index", "tool_call_id"}
"""Keys that mean nothing between markers."""


def call_object(
    scanner: Scanner, names: frozenset[str] = NAMES, arguments: frozenset[str] = ARGUMENTS, bare: int = 0
) -> Reading[bool]:
    """Read one call.

    Args:
        scanner: The text, at a brace.
        names: Keys of the tool's name.
        arguments: Keys of the arguments.
        bare: How many brackets stand open after the brace, where nothing but the keys makes an object a call; an object
            with a key that no call has is then text, up to the last of these brackets. 0 between markers.

    Returns:
        Whether the object was whole and a call.
    """
    if not (yield from scanner.find("{")):
        return False
    call = _Call(scanner, names, arguments)
    while True:
        yield from scanner.space()
        key = yield from scanner.json_string()
        if key is None or not (yield from _colon(scanner)):
            return call.end(whole=False)
        if bare and key not in names | arguments | OTHERS:
            yield from _pass_on(scanner, bare)
            return False
        if not (yield from call.member(key)):
            return call.end(whole=False)
        yield from scanner.space()
        mark = yield from scanner.find(",", "}")
        if mark != ",":
            return call.end(whole=bool(mark))


class _Call:
    """A call's object, a member at a time.

    Args:
        scanner: The text.
        names: Keys of the tool's name.
        arguments: Keys of the arguments.
    """

    def __init__(self, scanner: Scanner, names: frozenset[str], arguments: frozenset[str]) -> None:
        self._scanner = scanner
        self._names = names
        self._arguments = arguments
        self._named = self._given = self._stray = self._wrong = False
        self._early: list[str] = []  # arguments that came before the name
        self._close = ""
        self._before: list[str] = []  # other members, as far as they came before the name

    def member(self, key: str) -> Reading[bool]:
        """Read the value of a key; whether it was whole, and could be what it is called."""
        if key in self._names and not self._named:
            return (yield from self._name())
        if key in self._arguments and not self._given:
            self._given = True
            end = yield from self._scanner.json_value(self._scanner.arguments if self._named else self._early.append)
            self._close = end or ""
            return end is not None
        self._wrong = self._wrong or key in self._names or key in self._arguments
        self._wrong = self._wrong or (self._given and key not in MARKED_OTHERS)
        self._stray = self._stray or key not in MARKED_OTHERS
        if self._named:
            return (yield from self._scanner.json_value(_nothing)) is not None
        self._before.append(f"{quote(key)}: ")
        end = yield from self._scanner.json_value(self._before.append)
        self._before.append(f"{end or ''}, ")
        return end is not None

    def _name(self) -> Reading[bool]:
        name = yield from self._scanner.json_string()
        if not name:
            return False
        self._scanner.begin(name)
        self._named = True
        for piece in self._early:
            self._scanner.arguments(piece)
        return True

    def end(self, *, whole: bool) -> bool:
        """End the call.

        It is broken with two names or arguments, and where another member may be the arguments, or a piece of them that a
        brace too many cut off.
        """
        if not whole or not self._named or self._wrong or (self._stray and not self._given):
            self._scanner.keep("".join(self._before) if self._named and self._stray else "")
            return False
        self._scanner.end(self._close)
        return True


def _pass_on(scanner: Scanner, depth: int) -> Reading[None]:
    """Say what was read, and the rest of the brackets it stands in, as text."""
    scanner.reject()
    end = yield from scanner.json_rest(depth, scanner.text)
    if end:
        scanner.text(end)


def named_object(scanner: Scanner) -> Reading[bool]:
    """Read a call whose name is the only key: `{"f": {"x": 1}}`."""
    if not (yield from scanner.find("{")):
        return False
    yield from scanner.space()
    name = yield from scanner.json_string()
    if not name or not (yield from _colon(scanner)):
        return False
    scanner.begin(name)
    close = yield from scanner.json_value(scanner.arguments)
    if close is None:
        return False
    yield from scanner.space()
    if not (yield from scanner.find("}")):
        return False
    scanner.end(close)
    return True


Item = Callable[[Scanner], Reading[bool]]


def json_objects(*closers: str, item: Item = call_object, after: tuple[str, ...] = ()) -> Block:
    """Build a block of one object between markers.

    Args:
        closers: Words that may end the block; it may also end without one.
        item: Reads the object.
        after: Words that may stand between opener and object.
    """

    def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del opener, tools
        yield from scanner.space()
        if after and (yield from scanner.find(*after)):
            yield from scanner.space()
        if not (yield from item(scanner)):
            return False
        yield from closer(scanner, closers)
        return True

    return block


def json_array(*closers: str, item: Item = call_object) -> Block:
    """Build a block of an array of objects, or of one object alone.

    Args:
        closers: Words that may end the block; it may also end without one.
        item: Reads an object.
    """

    def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del opener, tools
        yield from scanner.space()
        if (yield from scanner.peek()) == "{":
            whole = yield from item(scanner)
        else:
            whole = yield from items(scanner, item)
        if whole:
            yield from closer(scanner, closers)
        return whole

    return block


def items(scanner: Scanner, item: Item) -> Reading[bool]:
    """Read an array of calls, at its bracket."""
    if not (yield from scanner.find("[")):
        return False
    while True:
        yield from scanner.space()
        if not (yield from item(scanner)):
            return False
        yield from scanner.space()
        mark = yield from scanner.find(",", "]")
        if mark != ",":
            return bool(mark)


def json_bare(*, array: bool) -> Block:
    """Build a block without markers: an object, or an array of objects, that only its keys make a call.

    Args:
        array: Whether the block is an array.
    """

    def item(scanner: Scanner) -> Reading[bool]:
        return (yield from call_object(scanner, bare=2 if array else 1))

    def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del tools
        scanner.back(opener)
        return (yield from items(scanner, item) if array else item(scanner))

    return block


def _colon(scanner: Scanner) -> Reading[bool]:
    yield from scanner.space()
    if not (yield from scanner.find(":")):
        return False
    yield from scanner.space()
    return True


def closer(scanner: Scanner, closers: tuple[str, ...]) -> Reading[None]:
    """Consume a closer, and the white space before it, if one comes; white space alone is text."""
    if not closers:
        return
    space = yield from scanner.space()
    if not (yield from scanner.find(*closers)) and space:
        scanner.text(space)


def _nothing(piece: str) -> None:
    del piece
