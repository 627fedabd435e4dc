"""Calls written as Python: `[f(city='Tokyo', n=3), g()]`.

Only literals are arguments: strings, numbers, True, False and None (or JSON's true, false and null), lists, tuples, sets
and dicts of them, with a sign before a number. Nothing is evaluated; values are parsed by `ast`, one at a time, limited in
size and depth. A quote that nothing of Python's may follow is a part of its string, `'sed -n '1,9p' f'`, and an integer may begin
with zeros.
"""

import ast
import json
import re

from vllm_connect.parsing.format import Block
from vllm_connect.parsing.grammars.broken_calls import skip_broken_call, skip_empty_block
from vllm_connect.parsing.grammars.json_calls import end_marker
from vllm_connect.parsing.grammars.parameters import Arguments
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote

__all__ = ["python_lines", "python_list"]

MAX_VALUE = 1024 * 1024
MAX_DEPTH = 64
JSON_NAMES = {"true": "true", "false": "false", "null": "null"}

ESCAPED = frozenset("\n\\'\"abfnrtv01234567xNuU")
"""Characters that may follow a backslash."""

ESCAPED_NEWLINES = {"\n": "\\n", "\r": "\\r", "\0": "\\x00"}

CLOSING = ",)]}:+%*"
"""What may follow the end of a string; an operator makes it an expression, which is refused."""

_CLOSED = re.compile(r"""\s{0,99}(?:[,)\]}:+%*]|\Z)|\s{1,99}['"]""")
_ARGUMENT = re.compile(r"[,(]\s{0,9}[^\W\d]\w{0,99}\s{0,9}=\s{0,9}\Z")
_LEADING_ZEROS = re.compile(r"(?<![\w.])0{1,99}(?=[0-9])")
_QUOTE = re.compile(r"""['"]""")
_IN_STRING = re.compile(r"""['"\\\n\r\x00]""")
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")
_MARK = re.compile(r"""['"()\[\]{},]""")


def python_list(*end_markers: str) -> Block:
    """Build a block of a list of calls, or of calls without brackets.

    Args:
        end_markers: Markers that may end the block.
    """

    def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        if marker == "[":
            scanner.unread(marker)
        yield from scanner.skip_whitespace()
        if not (yield from scanner.accept("[")):
            return False
        if (yield from skip_empty_block(scanner, ("]",))):
            yield from end_marker(scanner, end_markers)
            return False
        while True:
            before = scanner.calls
            if not (yield from _call(scanner, tools)):
                return scanner.calls > before and (yield from _skip_broken(scanner, end_markers))
            yield from scanner.skip_whitespace()
            following = yield from scanner.accept(",", "]")
            if not following:
                return False
            if following == ",":
                yield from scanner.skip_whitespace()
                following = yield from scanner.accept("]")
            if following == "]":
                break
        yield from end_marker(scanner, end_markers)
        return True

    return block


def python_lines(*end_markers: str) -> Block:
    """Build a block of calls, one on each line.

    Args:
        end_markers: Markers that end the block.
    """

    def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        del marker
        while True:
            before = scanner.calls
            if not (yield from _call(scanner, tools)):
                return scanner.calls > before and (yield from _skip_broken(scanner, end_markers))
            yield from scanner.skip_whitespace()
            yield from scanner.accept(",")
            yield from scanner.skip_whitespace()
            if (yield from scanner.accept(*end_markers)) or not (yield from scanner.peek()):
                return True

    return block


def _skip_broken(scanner: Scanner, end_markers: tuple[str, ...]) -> Reading[bool]:
    """Read the rest of a block whose last call broke; return False if its end is unknown."""
    return bool(end_markers) and (yield from skip_broken_call(scanner, end_markers, ()))


def _call(scanner: Scanner, tools: Tools) -> Reading[bool]:
    """Read one call after whitespace."""
    yield from scanner.skip_whitespace()
    head, mark = yield from scanner.read_until("(", "\n", ")", "]", ",", '"', "'", " ", limit=MAX_NAME)
    if mark != "(" or not _NAME.match(head):
        return False
    arguments = Arguments(scanner, tools, scanner.start_call(head))
    while True:
        yield from scanner.skip_whitespace()
        if (yield from scanner.accept(")")):
            arguments.end()
            return True
        key, mark = yield from scanner.read_until("=", ")", ",", "(", limit=MAX_NAME)
        key = key.strip()
        if mark != "=" or not key.isidentifier():
            arguments.add_broken(key, "")
            return False
        text, mark = yield from _value(scanner)
        try:
            value = literal(text) if mark else ""
        except ValueError:
            value = ""
        if not value:
            arguments.add_broken(key, text)
            return False
        arguments.add(key, value)
        if mark == ")":
            arguments.end()
            return True


def _value(scanner: Scanner) -> Reading[tuple[str, str]]:
    """Read the text of a value up to the comma or parenthesis that ends it."""
    pieces: list[str] = []
    size = depth = 0
    while size <= MAX_VALUE:
        piece, mark = yield from scanner.read_until(*"'\"()[]{},", limit=MAX_VALUE)
        pieces.append(piece)
        size += len(piece) + 1
        if not mark or (depth == 0 and mark in ",)"):
            return "".join(pieces), mark
        pieces.append(mark)
        if mark in "'\"":
            pieces.append((yield from scanner.accept(mark * 2)))
            complete = yield from _string(scanner, mark + pieces[-1], pieces)
            size += len(pieces[-1])
            if not complete:
                break
        elif mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
            if depth < 0:
                break
    return "".join(pieces), ""


def _string(scanner: Scanner, quote: str, pieces: list[str]) -> Reading[bool]:
    """Read the rest of a string, up to its quote."""
    while True:
        piece, mark = yield from scanner.read_until(quote, "\\", limit=MAX_VALUE)
        pieces.append(piece + mark)
        if mark == quote:
            space = yield from scanner.skip_whitespace()
            following = yield from scanner.peek()
            if len(quote) > 1 or not following or following in CLOSING or (space and following in "'\""):
                scanner.unread(space)
                return True
            if _ARGUMENT.search(piece):  # the quote begins another argument, and the end of this string is missing
                return False
            pieces.append(space)
            continue
        if not mark or not (yield from scanner.peek()):
            return False
        pieces.append(scanner.consume(1))


def literal(text: str) -> str:
    """Convert a Python literal to JSON.

    Args:
        text: The literal.

    Returns:
        JSON text of the value, duplicate names included; tuples and sets are lists.

    Raises:
        ValueError: It is not a literal, or one that JSON does not have.
    """
    text = text.strip()
    if not text:
        raise ValueError("the value is empty")
    deepest = depth = 0
    for mark in _MARK.findall(text):
        depth += (mark in "([{") - (mark in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError("the value is nested too deep")
    try:
        return _json_of(ast.parse(_python_source(text), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError, TypeError):
        raise ValueError("the value is not a Python literal") from None


def _python_source(text: str) -> str:
    """Return a literal with its strings escaped as Python requires.

    Models write newlines in them, and backslashes that escape nothing, of which Python warns.
    """
    out: list[str] = []
    at = 0
    while (start := _QUOTE.search(text, at)) is not None:
        mark = start.group() * 3 if text.startswith(start.group() * 3, start.start()) else start.group()
        inside = start.start() + len(mark)
        out.append(_LEADING_ZEROS.sub("", text[at:inside]))
        raw = start.start() > 0 and text[start.start() - 1] in "rR"
        at = _string_of(text, inside, mark, out, raw=raw)
    return "".join([*out, _LEADING_ZEROS.sub("", text[at:])])


def _string_of(text: str, at: int, mark: str, out: list[str], *, raw: bool) -> int:
    """Append the rest of one string and return where it ends."""
    while (found := _IN_STRING.search(text, at)) is not None:
        out.append(text[at : found.start()])
        at = found.end()
        char = found.group()
        if text.startswith(mark, found.start()):
            after = found.start() + len(mark)
            if raw or len(mark) > 1 or _CLOSED.match(text, after):
                out.append(mark)
                return after
            out.append("\\" + mark)
            continue
        if char == "\\":
            following = text[at : at + 1]
            out.append(char if raw or following in ESCAPED else char * 2)
            out.append(following)
            at += 1
        else:
            out.append(char if raw else ESCAPED_NEWLINES.get(char, char))
    out.append(text[at:])
    return len(text)


def _json_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str | bool | int | float) or node.value is None:
            return json.dumps(node.value, ensure_ascii=False)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        return "[" + ", ".join(map(_json_of, node.elts)) + "]"
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return "{" + ", ".join(f"{_key(key)}: {_json_of(value)}" for key, value in pairs) + "}"
    elif isinstance(node, ast.Name) and node.id in JSON_NAMES:
        return JSON_NAMES[node.id]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _signed(node)
    raise ValueError("the value is not a literal")


def _key(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return quote(node.value)
    raise ValueError("a key is not a string")


def _signed(node: ast.UnaryOp) -> str:
    number = node.operand.value if isinstance(node.operand, ast.Constant) else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        return json.dumps(-number if isinstance(node.op, ast.USub) else number)
    raise ValueError("a sign without a number")
