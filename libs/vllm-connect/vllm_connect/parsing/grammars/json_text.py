"""JSON text that is still growing: a string that is read, and a value that is forwarded verbatim."""

import re
from collections.abc import Callable
from json import JSONDecodeError, loads

from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner

__all__ = ["forward_json_rest", "forward_json_value", "read_json_string"]

_IN_STRING = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]]')
_OUTSIDE_OR_MARKER = re.compile(r'["{}\[\]<]')
_SCALAR_END = re.compile(r"[,}\]\s<]")


def read_json_string(scanner: Scanner) -> Reading[str | None]:
    """Read a JSON string of at most a name's length; return None if anything else comes next."""
    if not (yield from scanner.accept('"')):
        return None
    pieces = ['"']
    size = 0
    while size <= MAX_NAME:
        before, mark = scanner.search(_IN_STRING)
        pieces.append(scanner.consume(before + len(mark)))
        size += len(pieces[-1])
        if mark == '"':
            try:
                text = loads("".join(pieces))
            except JSONDecodeError:
                return None
            return text if isinstance(text, str) else None
        if not mark:
            if not (yield from scanner.more()):
                return None
            continue
        if not (yield from scanner.peek()):
            return None
        pieces.append(scanner.consume(1))
    return None


def forward_json_value(scanner: Scanner, sink: Callable[[str], None]) -> Reading[str | None]:
    """Forward a JSON value verbatim, except for the character that ends it.

    Args:
        scanner: The scanner, at the value.
        sink: Receives the text in pieces as it arrives.

    Returns:
        The last character, empty for a number or a literal name; None if the text ended before the value.
    """
    first = yield from scanner.peek()
    if first in "{[" and first:
        return (yield from forward_json_rest(scanner, 0, sink))
    if first == '"':
        sink(scanner.consume(1))
        return '"' if (yield from _forward_string_rest(scanner, sink, keep_end=True)) else None
    while True:
        before, mark = scanner.search(_SCALAR_END)
        sink(scanner.consume(before))
        if mark:
            return ""
        if not (yield from scanner.more()):
            return None


def forward_json_rest(
    scanner: Scanner, depth: int, sink: Callable[[str], None], *, is_text: bool = False
) -> Reading[str | None]:
    """Forward the rest of an object or array, from inside `depth` of them; see `forward_json_value`.

    It breaks off before a `<` that is not in a string, which may begin a marker, unless it is forwarded as text.
    """
    pattern = _OUTSIDE if is_text else _OUTSIDE_OR_MARKER
    while True:
        before, mark = scanner.search(pattern)
        if not mark:
            if piece := scanner.consume(before):
                sink(piece)
            if not (yield from scanner.more()):
                return None
            continue
        if mark == "<":
            if before:
                sink(scanner.consume(before))
            return None
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark, 0)
        if depth <= 0 and mark != '"':
            if before:
                sink(scanner.consume(before))
            return scanner.consume(1)
        sink(scanner.consume(before + 1))
        if mark == '"' and not (yield from _forward_string_rest(scanner, sink)):
            return None


def _forward_string_rest(scanner: Scanner, sink: Callable[[str], None], *, keep_end: bool = False) -> Reading[bool]:
    while True:
        before, mark = scanner.search(_IN_STRING)
        if mark == '"':
            if before or not keep_end:
                sink(scanner.consume(before if keep_end else before + 1))
            if keep_end:
                scanner.consume(1)
            return True
        if not mark:
            if piece := scanner.consume(before):
                sink(piece)
            if not (yield from scanner.more()):
                return False
            continue
        if scanner.available == before + 1 and not (yield from scanner.more()):
            sink(scanner.consume(before + 1))
            return False
        sink(scanner.consume(before + 2))
