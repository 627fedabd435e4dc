"""Calls whose name stands before their arguments: a header, a word that ends it, and one JSON object.

`functions.f:0<|tool_call_argument_begin|>{"x": 1}<|tool_call_end|>`. The arguments go out verbatim as they come.
"""

from collections.abc import Callable

from vllm_connect.parsing.format import Block
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["header_call", "header_calls", "is_key", "is_name", "named_call"]


def is_name(text: str) -> bool:
    """Tell whether a text can be a tool's name: printable, without white space, quotes, brackets or commas."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and not any(c in text for c in " \"'<>{}()[]`,")


def is_key(text: str) -> bool:
    """Tell whether a text can be the name of a parameter of which nothing is known: no piece of markup is in it."""
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
        scanner: The text, at the header.
        separators: Words that end the header; a brace belongs to the arguments.
        read_header: Finds the name, and the id if the header has one.
        fences: Words that may stand between the separator and the arguments.

    Returns:
        Whether the arguments were a whole JSON value.
    """
    header, separator = yield from scanner.up_to(*separators, limit=MAX_NAME)
    name, call_id = read_header(header)
    if not separator or not is_name(name) or (call_id is not None and not is_name(call_id)):
        return False
    if separator == "{":
        scanner.back("{")
    yield from scanner.space()
    for fence in fences:
        if (yield from scanner.find(fence)):
            yield from scanner.space()
    return (yield from named_call(scanner, name, call_id))


def named_call(scanner: Scanner, name: str, call_id: str | None = None) -> Reading[bool]:
    """Read the arguments of a call whose name is known; False where no object comes, or not all of it."""
    if (yield from scanner.peek()) != "{":
        return False
    scanner.begin(name, call_id)
    close = yield from scanner.json_value(scanner.arguments)
    if close is None:
        return False
    scanner.end(close)
    return True


def header_calls(
    call_opener: str,
    separators: tuple[str, ...],
    call_closers: tuple[str, ...],
    block_closers: tuple[str, ...],
    *,
    read_header: Callable[[str], tuple[str, str | None]] = lambda text: (text.strip(), None),
    fences: tuple[str, ...] = (),
) -> Block:
    """Build a block of calls, each between words of its own.

    Args:
        call_opener: Begins a call; a block whose opener this is holds one call.
        separators: End the header.
        call_closers: End a call.
        block_closers: End the block.
        read_header: As for `header_call`.
        fences: As for `header_call`.
    """

    def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del tools
        yield from scanner.space()
        if opener != call_opener and not (yield from scanner.find(call_opener)):
            return False
        while True:
            if not (yield from header_call(scanner, separators, read_header=read_header, fences=fences)):
                return False
            yield from scanner.space()
            for fence in fences:
                if fence.startswith("```") and (yield from scanner.find("```")):
                    yield from scanner.space()
            while (yield from scanner.find(*call_closers)):
                yield from scanner.space()
            mark = yield from scanner.find(call_opener, *block_closers)
            if mark != call_opener:
                return True

    return block
