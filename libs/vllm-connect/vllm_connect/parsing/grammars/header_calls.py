"""Calls whose name precedes their arguments: a header, a separator that ends it, and one JSON object.

`functions.f:0<|tool_call_argument_begin|>{"x": 1}<|tool_call_end|>`. The arguments are emitted verbatim as they
arrive.
"""

from collections.abc import Callable

from vllm_connect.parsing.format import Block
from vllm_connect.parsing.grammars.broken_calls import skip_broken_call
from vllm_connect.parsing.grammars.json_text import forward_json_value
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["call_block", "header_call", "header_calls", "is_key", "is_name", "json_arguments", "named_call"]


def is_name(text: str) -> bool:
    """Check whether a text can be a tool's name: printable, without whitespace, quotes, brackets or commas."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and not any(c in text for c in " \"'<>{}()[]`,")


def is_key(text: str) -> bool:
    """Check whether a text can be the name of an undeclared parameter: no piece of markup is in it."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and not any(c in text for c in '<>"=,{}')


def header_call(
    scanner: Scanner,
    separators: tuple[str, ...],
    *,
    read_header: Callable[[str], tuple[str, str | None]] = lambda text: (text.strip(), None),
    fences: tuple[str, ...] = (),
) -> Reading[bool]:
    """Read one call.

    Args:
        scanner: The scanner, at the header.
        separators: Markers that end the header; a brace belongs to the arguments.
        read_header: Returns the name, and the id if the header has one.
        fences: Markers that may precede the arguments, in this order.

    Returns:
        Whether the arguments were a complete JSON value.
    """
    header, separator = yield from scanner.read_until(*separators, limit=MAX_NAME)
    name, call_id = read_header(header)
    if not separator or not is_name(name) or (call_id is not None and not is_name(call_id)):
        return False
    if separator == "{":
        scanner.unread("{")
    yield from scanner.skip_whitespace()
    for fence in fences:
        if (yield from scanner.accept(fence)):
            yield from scanner.skip_whitespace()
    return (yield from named_call(scanner, name, call_id))


def named_call(scanner: Scanner, name: str, call_id: str | None = None) -> Reading[bool]:
    """Read the arguments of a call whose name is known; return False unless a complete object follows."""
    if (yield from scanner.peek()) != "{":
        return False
    scanner.start_call(name, call_id)
    return (yield from json_arguments(scanner))


def json_arguments(scanner: Scanner) -> Reading[bool]:
    """Read the arguments of the current call, one JSON object, and end the call; return whether they were complete."""
    close = yield from forward_json_value(scanner, scanner.emit_arguments)
    if close is None:
        return False
    scanner.end_call(close)
    return True


def header_calls(
    call_starts: tuple[str, ...],
    separators: tuple[str, ...],
    call_ends: tuple[str, ...],
    block_ends: tuple[str, ...],
    *,
    read_header: Callable[[str], tuple[str, str | None]] = lambda text: (text.strip(), None),
    fences: tuple[str, ...] = (),
) -> Block:
    """Build a block of calls with headers; see `call_block` and `header_call`."""

    def read_call(scanner: Scanner) -> Reading[bool]:
        return (yield from header_call(scanner, separators, read_header=read_header, fences=fences))

    return call_block(read_call, call_starts, call_ends, block_ends)


def call_block(
    read_call: Callable[[Scanner], Reading[bool]],
    call_starts: tuple[str, ...],
    call_ends: tuple[str, ...],
    block_ends: tuple[str, ...],
) -> Block:
    """Build a block of calls, each between its own markers; other text between them is text.

    Args:
        read_call: Reads a call after its start marker; returns whether it was whole.
        call_starts: Begin a call; they may be start markers of the block.
        call_ends: End a call.
        block_ends: End the block.
    """

    def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        del tools
        calls = scanner.calls
        text, mark = "", marker
        if marker not in call_starts:
            text, mark = yield from _text_between(scanner, call_starts, block_ends, marker)
        while mark in call_starts:
            before = scanner.calls
            whole = yield from read_call(scanner)
            if scanner.calls == before:
                return False
            scanner.emit_beside_call(text)
            if not whole and not (yield from skip_broken_call(scanner, call_ends, (*call_starts, *block_ends))):
                return False
            yield from scanner.skip_whitespace()
            while (yield from scanner.accept(*call_ends)):
                yield from scanner.skip_whitespace()
            scanner.drop_markup()
            text, mark = yield from _text_between(scanner, call_starts, block_ends, marker)
        if scanner.calls > calls:
            scanner.emit_beside_call(text)
        elif mark and not text.strip():
            scanner.drop_empty_block()
        return True

    return block


def _text_between(
    scanner: Scanner, call_starts: tuple[str, ...], block_ends: tuple[str, ...], marker: str
) -> Reading[tuple[str, str]]:
    """Read text before a call, or the end of a block, and what ended it; text that neither ends stays in the scanner.

    Args:
        scanner: The scanner.
        call_starts: Begin a call.
        block_ends: End the block.
        marker: Began the block; another one begins another block.
    """
    text, mark = yield from scanner.read_until(*dict.fromkeys((*call_starts, *block_ends, marker)), limit=MAX_NAME)
    if mark in call_starts or mark in block_ends:
        return text, mark
    scanner.unread(text + mark)
    return "", ""
