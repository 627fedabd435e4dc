"""Calls written as Python: `[f(city='Tokyo', n=3), g()]`.

Only literals are arguments: strings, numbers, True, False and None (or JSON's true, false and null), lists, tuples, sets
and dicts of them, with a sign before a number. Nothing is evaluated; a value is read by `ast.literal_eval`, one value at
a time, bounded in size and depth.
"""

import ast
import json
import re

from vllm_connect.parsing.format import Block
from vllm_connect.parsing.grammars.tag_calls import Arguments
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote

__all__ = ["python_lines", "python_list"]

MAX_VALUE = 1024 * 1024
MAX_DEPTH = 64
WORDS = {"true": "true", "false": "false", "null": "null"}

ESCAPED = frozenset("\n\\'\"abfnrtv01234567xNuU")
"""What a backslash may stand before."""

LINE_ENDS = {"\n": "\\n", "\r": "\\r", "\0": "\\x00"}

_QUOTE = re.compile(r"""['"]""")
_IN_STRING = re.compile(r"""['"\\\n\r\x00]""")
_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")
_MARK = re.compile(r"""['"()\[\]{},]""")


def python_list(*closers: str) -> Block:
    """Build a block of a list of calls, or of calls without brackets.

    Args:
        closers: Words that may end the block.
    """

    def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del tools
        if opener == "[":
            scanner.back(opener)
        yield from scanner.space()
        if not (yield from scanner.find("[")):
            return False
        while True:
            if not (yield from _call(scanner)):
                return False
            yield from scanner.space()
            mark = yield from scanner.find(",", "]")
            if not mark:
                return False
            if mark == ",":
                yield from scanner.space()
                mark = yield from scanner.find("]")
            if mark == "]":
                break
        if closers:
            space = yield from scanner.space()
            if not (yield from scanner.find(*closers)) and space:
                scanner.text(space)
        return True

    return block


def python_lines(*closers: str) -> Block:
    """Build a block of calls, one on each line.

    Args:
        closers: Words that end the block.
    """

    def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del opener, tools
        while True:
            if not (yield from _call(scanner)):
                return False
            yield from scanner.space()
            yield from scanner.find(",")
            yield from scanner.space()
            if (yield from scanner.find(*closers)) or not (yield from scanner.peek()):
                return True

    return block


def _call(scanner: Scanner) -> Reading[bool]:
    """Read one call, after white space."""
    yield from scanner.space()
    head, mark = yield from scanner.up_to("(", "\n", ")", "]", ",", '"', "'", " ", limit=MAX_NAME)
    if mark != "(" or not _NAME.match(head):
        return False
    scanner.begin(head)
    arguments = Arguments(scanner)
    while True:
        yield from scanner.space()
        if (yield from scanner.find(")")):
            arguments.end()
            return True
        key, mark = yield from scanner.up_to("=", ")", ",", "(", limit=MAX_NAME)
        key = key.strip()
        if mark != "=" or not key.isidentifier():
            arguments.broken(key, "")
            return False
        text, mark = yield from _value(scanner)
        try:
            value = literal(text) if mark else ""
        except ValueError:
            value = ""
        if not value:
            arguments.broken(key, text)
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
        piece, mark = yield from scanner.up_to(*"'\"()[]{},", limit=MAX_VALUE)
        pieces.append(piece)
        size += len(piece) + 1
        if not mark or (depth == 0 and mark in ",)"):
            return "".join(pieces), mark
        pieces.append(mark)
        if mark in "'\"":
            pieces.append((yield from scanner.find(mark * 2)))
            whole = yield from _string(scanner, mark + pieces[-1], pieces)
            size += len(pieces[-1])
            if not whole:
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
        piece, mark = yield from scanner.up_to(quote, "\\", limit=MAX_VALUE)
        pieces.append(piece + mark)
        if mark == quote:
            return True
        if not mark or not (yield from scanner.peek()):
            return False
        pieces.append(scanner.take(1))


def literal(text: str) -> str:
    """Write a Python literal as JSON.

    Args:
        text: The literal.

    Returns:
        JSON text of the value, names given twice and all; tuples and sets are lists.

    Raises:
        ValueError: It is no literal, or one that JSON has not.
    """
    text = text.strip()
    if not text:
        raise ValueError("an empty value")
    deepest = depth = 0
    for mark in _MARK.findall(text):
        depth += (mark in "([{") - (mark in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError("nested too deep")
    try:
        return _json_of(ast.parse(_plain(text), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError, TypeError):
        raise ValueError("no Python literal") from None


def _plain(text: str) -> str:
    """Write the strings of a literal as Python wants them.

    Models leave line ends in them, and backslashes that escape nothing, which Python warns of.
    """
    out: list[str] = []
    at = 0
    while (start := _QUOTE.search(text, at)) is not None:
        mark = start.group() * 3 if text.startswith(start.group() * 3, start.start()) else start.group()
        inside = start.start() + len(mark)
        out.append(text[at:inside])
        raw = start.start() > 0 and text[start.start() - 1] in "rR"
        at = _string_of(text, inside, mark, out, raw=raw)
    return "".join([*out, text[at:]])


def _string_of(text: str, at: int, mark: str, out: list[str], *, raw: bool) -> int:
    """Write the rest of one string; where it ends."""
    while (found := _IN_STRING.search(text, at)) is not None:
        out.append(text[at : found.start()])
        at = found.end()
        char = found.group()
        if text.startswith(mark, found.start()):
            out.append(mark)
            return found.start() + len(mark)
        if char == "\\":
            following = text[at : at + 1]
            out.append(char if raw or following in ESCAPED else char * 2)
            out.append(following)
            at += 1
        else:
            out.append(char if raw else LINE_ENDS.get(char, char))
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
    elif isinstance(node, ast.Name) and node.id in WORDS:
        return WORDS[node.id]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _signed(node)
    raise ValueError("no literal")


def _key(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return quote(node.value)
    raise ValueError("a key that is no string")


def _signed(node: ast.UnaryOp) -> str:
    number = node.operand.value if isinstance(node.operand, ast.Constant) else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        return json.dumps(-number if isinstance(node.op, ast.USub) else number)
    raise ValueError("a sign before what is no number")
