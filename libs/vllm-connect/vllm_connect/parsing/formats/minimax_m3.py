r"""MiniMax M3: nested elements, each tag after a word of its own, here `N` for `]<]minimax[>[`.

`N<tool_call>N<invoke name="f">N<k>vN</k>N<list>N<item>1N</item>N</list>N</invoke>N</tool_call>`. An element with elements
in it is an object, or an array where its schema says so, and holds no text beside them; the arguments go out when the call ends.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.grammars.tag_calls import quoted
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools, keyword, schema_types
from vllm_connect.parsing.values import quote
from vllm_connect.response.tool_arguments import MAX_DEPTH

MARK = "]<]minimax[>["


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    del opener
    while True:
        yield from scanner.space()
        mark = yield from scanner.find(f"{MARK}<invoke name=", f"{MARK}</tool_call>")
        if mark == f"{MARK}</tool_call>":
            return True
        if not mark or not (yield from _call(scanner, tools)):
            return False
        yield from scanner.space()
        if not (yield from scanner.peek()):
            return True


def _call(scanner: Scanner, tools: Tools) -> Reading[bool]:
    head, mark = yield from scanner.up_to(">", limit=MAX_NAME)
    name = quoted(head)
    if not mark or not is_name(name):
        return False
    scanner.begin(name)
    text, mark = yield from scanner.up_to(f"{MARK}</invoke>")
    elements = _elements(text) if mark else None
    if elements is None:
        scanner.arguments("{" + text)
        return False
    scanner.arguments(_Typed(tools.schema(name)).object(elements)[:-1])
    scanner.end("}")
    return True


Element = tuple[str, Any]


def _elements(text: str) -> list[Element] | None:
    """Read elements one after another; None if they are not well formed."""
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


class _Typed:
    """Writes elements as JSON, by the schema of a tool's parameters."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema

    def object(self, elements: list[Element], schema: Any = None) -> str:
        """Write elements as the members of an object; one that is there again makes a list."""
        properties = keyword(self._root if schema is None else schema, "properties", self._root)
        found: dict[str, list[str]] = {}
        for name, element in elements:
            found.setdefault(name, []).append(self._value(element, (properties or {}).get(name)))
        members = (f"{quote(name)}: {_list(said) if len(said) > 1 else said[0]}" for name, said in found.items())
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
        return quote(element) if schema is None else Tools.typed_by(schema, element, self._root)


def _list(values: list[str]) -> str:
    return "[" + ", ".join(values) + "]"


FORMAT = Format(names=("minimax_m3",), openers=(f"{MARK}<tool_call>",), block=_block)
