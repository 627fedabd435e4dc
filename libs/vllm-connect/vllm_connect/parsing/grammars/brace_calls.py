r"""Gemma's calls: `call:f{city:<|"|>Tokyo<|"|>,n:42,list:[1,2],map:{k:<|"|>v<|"|>}}`.

Strings are quoted by their own marker, and everything else is JSON except for keys without quotes. The arguments are emitted
when the call's brace closes.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from vllm_connect.parsing.grammars.broken_calls import skip_empty_block
from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.grammars.json_calls import end_marker
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools, json_for, keyword, schema_types
from vllm_connect.parsing.values import quote, verbatim
from vllm_connect.response.tool_arguments import MAX_BYTES, MAX_DEPTH

__all__ = ["BraceCalls"]

PYTHON_NAMES = {"None": "null", "none": "null", "True": "true", "False": "false"}
"""Python's names, which these models write too."""

MARKUP = frozenset(':<>|"')
"""Characters that occur in no unquoted text, except in one whose quotes are damaged."""

MAX_QUOTED = 65_536
"""Characters of a string in single quotes, which must be searched for its end."""

_ESCAPE = re.compile(r"\\(['\\])")
_VALUE_END = re.compile(r"[,}\]]")


@dataclass(frozen=True)
class BraceCalls:
    """One call in braces, as a grammar: `block=BraceCalls(quote="<escape>", end_markers=("<end_function_call>",))`.

    Attributes:
        quote: The marker around a string.
        end_markers: Markers that may end the block.
        all_strings: Whether the format writes all values as strings, so that the tool's schema declares their types.
    """

    quote: str
    end_markers: tuple[str, ...]
    all_strings: bool = False

    def __call__(self, scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        """Read a call after its start marker."""
        del marker
        if (yield from skip_empty_block(scanner, self.end_markers)):
            return False
        yield from scanner.skip_whitespace()
        if not (yield from scanner.accept("call:")):
            yield from scanner.accept(":")
        head, mark = yield from scanner.read_until("{", limit=MAX_NAME)
        name = head.strip()
        if not mark or not is_name(name):
            return False
        name = scanner.start_call(name)
        text, complete = yield from self._rest(scanner)
        if not complete:
            scanner.emit_arguments("{" + text)
            return False
        try:
            arguments = _Reader(
                text,
                self.quote,
                partial(tools.has_parameter, name),
                partial(tools.coerced, name) if self.all_strings else None,
                tools.schema(name),
            ).arguments()
        except ValueError:
            scanner.emit_arguments("{" + text)
            return False
        scanner.emit_arguments(arguments[:-1])
        scanner.end_call("}")
        yield from end_marker(scanner, self.end_markers)
        return True

    def _rest(self, scanner: Scanner) -> Reading[tuple[str, bool]]:
        """Read up to the brace that ends the arguments; return whether it was found."""
        pieces: list[str] = []
        depth, size = 1, 0
        while size <= MAX_BYTES:
            piece, mark = yield from scanner.read_until(self.quote, "{", "}", "[", "]")
            pieces.append(piece)
            size += len(piece) + len(mark)
            if not mark:
                break
            if mark == self.quote:
                text, end = yield from scanner.read_until(self.quote)
                pieces += [mark, text, end]
                size += len(text)
                if not end:
                    break
                continue
            depth += 1 if mark in "{[" else -1
            pieces.append(mark)
            if depth == 0:
                return "".join(pieces), True
        return "".join(pieces), False


class _Reader:
    """A reader of complete arguments that converts them to JSON, duplicate names included.

    Args:
        text: The text after the opening brace.
        quote: The marker around a string.
        has_parameter: Checks whether the tool declares a parameter.
        coerced: Converts a text by its parameter's schema; None if the format itself distinguishes strings.
        schema: The schema of the arguments, for strings that are not quoted.
    """

    def __init__(
        self,
        text: str,
        quote: str,
        has_parameter: Callable[[str], bool],
        coerced: Callable[[str, str], str] | None,
        schema: Mapping[str, Any],
    ) -> None:
        self._text = text
        self._quote = quote
        self._has_parameter = has_parameter
        self._coerced = coerced
        self._schema = schema
        self._at = 0
        self._depth = 0

    def arguments(self) -> str:
        """Read the pairs of the outermost braces and return JSON."""
        found = self._map(self._schema, self._coerced)
        if self._at < len(self._text):
            raise ValueError("the braces end before the text does")
        return found

    def _map(self, schema: Any, coerced: Callable[[str, str], str] | None = None) -> str:
        properties = keyword(schema, "properties", self._schema) or {}
        members: list[str] = []
        self._enter()
        while True:
            self._skip_whitespace()
            if self._accept("}"):
                break
            key = self._key()
            text, is_text = self._value(properties.get(key))
            members.append(f"{quote(key)}: {(coerced(key, text) if coerced else quote(text)) if is_text else text}")
            self._skip_whitespace()
            if not self._accept(","):
                if not self._accept("}"):
                    raise ValueError("a comma is missing")
                break
        self._depth -= 1
        return "{" + ", ".join(members) + "}"

    def _key(self) -> str:
        if self._accept(self._quote):
            key = self._string()
            self._skip_whitespace()
        else:
            end = self._text.find(":", self._at)
            key = self._text[self._at : end].strip().strip("\"'") if end >= 0 else ""
            self._at = end
        if self._at < 0 or not (self._has_parameter(key) or is_key(key)) or not self._accept(":"):
            raise ValueError("a key is missing")
        return key

    def _value(self, schema: Any) -> tuple[str, bool]:
        """Read a value; return it and whether it is a text, not JSON."""
        self._skip_whitespace()
        if self._accept(self._quote):
            return self._string(), True
        if self._accept("{"):
            return self._map(schema), False
        if self._accept("["):
            return self._list(schema), False
        if self._text.startswith('"', self._at):
            value, self._at = json.JSONDecoder().raw_decode(self._text, self._at)
            return value, True
        if (quoted := self._single_quoted()) is not None:
            return quoted, True
        ending = _VALUE_END.search(self._text, self._at)
        end = ending.start() if ending else len(self._text)
        bare = self._text[self._at : end].strip()
        self._at = end
        if not bare:
            raise ValueError("a value is missing")
        value_text = PYTHON_NAMES.get(bare) or verbatim(bare)
        if value_text != quote(bare):
            found = value_text if self._coerced else json_for(value_text, schema_types(schema, self._schema))
            return (found, False) if found == value_text else (bare, True)
        if not MARKUP.isdisjoint(bare):
            raise ValueError("a value contains markup")
        return bare, True

    def _single_quoted(self) -> str | None:
        """Read a string in single quotes, as Python writes it: its last quote precedes a comma or a bracket."""
        start = end = self._at
        if not self._text.startswith("'", start):
            return None
        while (end := self._text.find("'", end + 1, start + MAX_QUOTED)) > 0:
            following = self._text[end + 1 : end + 1 + MAX_NAME].lstrip()[:1]
            if self._text[end - 1] != "\\" and following and following in ",}]":
                self._at = end + 1
                return _ESCAPE.sub(r"\1", self._text[start + 1 : end])
        return None

    def _list(self, schema: Any) -> str:
        items = keyword(schema, "items", self._schema)
        found: list[str] = []
        self._enter()
        while True:
            self._skip_whitespace()
            if self._accept("]"):
                break
            text, is_text = self._value(items)
            found.append(quote(text) if is_text else text)
            self._skip_whitespace()
            if not self._accept(","):
                if not self._accept("]"):
                    raise ValueError("a comma is missing")
                break
        self._depth -= 1
        return "[" + ", ".join(found) + "]"

    def _string(self) -> str:
        end = self._text.index(self._quote, self._at)
        text = self._text[self._at : end]
        self._at = end + len(self._quote)
        return text

    def _accept(self, marker: str) -> bool:
        if self._text.startswith(marker, self._at):
            self._at += len(marker)
            return True
        return False

    def _skip_whitespace(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("the arguments are nested too deep")
