r"""MiniMax M3: nested elements, each tag after the marker `]<]minimax[>[`, here `N`.

`N<tool_call>N<invoke name="f">N<k>vN</k>N<list>N<item>1N</item>N</list>N</invoke>N</tool_call>`. An element that
contains elements is an object, or an array if its schema says so, and no text may stand beside them; the arguments are emitted
when the call ends.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.grammars.tag_calls import unquoted
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools, keyword, schema_types
from vllm_connect.parsing.values import quote
from vllm_connect.response.tool_arguments import MAX_DEPTH

MARK = "]<]minimax[>["


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    del marker
    while True:
        yield from scanner.skip_whitespace()
        mark = yield from scanner.accept(f"{MARK}<invoke name=", f"{MARK}</tool_call>")
        if mark == f"{MARK}</tool_call>":
            return True
        if not mark or not (yield from _call(scanner, tools)):
            return False
        scanner.drop_markup()
        yield from scanner.skip_whitespace()
        if not (yield from scanner.peek()):
            return True


def _call(scanner: Scanner, tools: Tools) -> Reading[bool]:
    head, mark = yield from scanner.read_until(">", limit=MAX_NAME)
    name = unquoted(head)
    if not mark or not is_name(name):
        return False
    name = scanner.start_call(name)
    text, mark = yield from scanner.read_until(f"{MARK}</invoke>")
    elements = _elements(text) if mark else None
    if elements is None:
        scanner.emit_arguments("{" + text)
        scanner.break_call()
        return bool(mark)
    scanner.emit_arguments(_Converter(tools.schema(name)).object(elements)[:-1])
    scanner.end_call("}")
    return True


Element = tuple[str, Any]


def _elements(text: str) -> list[Element] | None:
    """Parse consecutive elements; return None if they are not well formed."""
    stack: list[tuple[str, list[Element], list[str]]] = [("", [], [])]
    first, *tags = text.split(MARK)
    stack[0][2].append(first)
    for tag in tags:
        head, end, after = tag.partition(">")
        if not end or not head.startswith("<") or len(stack) > MAX_DEPTH:
            return None
        if head.startswith("</"):
            name, children, texts = stack.pop()
            inner = "".join(texts)
            if not stack or name != head[2:] or (children and inner.strip()):
                return None
            stack[-1][1].append((name, children or inner))
        elif is_key(head[1:]):
            stack.append((head[1:], [], []))
        else:
            return None
        stack[-1][2].append(after)
    return stack[0][1] if len(stack) == 1 and not "".join(stack[0][2]).strip() else None


class _Converter:
    """A converter of elements to JSON, by the schema of a tool's parameters."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema

    def object(self, elements: list[Element], schema: Any = None) -> str:
        """Convert elements to the members of an object; repeated elements form a list."""
        properties = keyword(self._root if schema is None else schema, "properties", self._root)
        found: dict[str, list[str]] = {}
        for name, element in elements:
            found.setdefault(name, []).append(self._value(element, (properties or {}).get(name)))
        members = (
            f"{quote(name)}: {_list(values) if len(values) > 1 else values[0]}" for name, values in found.items()
        )
        return "{" + ", ".join(members) + "}"

    def _value(self, element: Any, schema: Any) -> str:
        types = schema_types(schema, self._root)
        items = keyword(schema, "items", self._root)
        is_list = "array" in types or items is not None
        if not isinstance(element, str):
            return (
                _list([self._value(item, items) for _, item in element])
                if is_list
                else self.object(element, schema or {})
            )
        if not element.strip() and "string" not in types and (is_list or "object" in types):
            return "[]" if is_list else "{}"
        return quote(element) if schema is None else Tools.coerced_by(schema, element, self._root)


def _list(values: list[str]) -> str:
    return "[" + ", ".join(values) + "]"


FORMAT = Format(names=("minimax_m3",), start_markers=(f"{MARK}<tool_call>",), block=_block, ignored_markers=("[e~[",))
