r"""Gemma's calls: `call:f{city:<|"|>Tokyo<|"|>,n:42,list:[1,2],map:{k:<|"|>v<|"|>}}`.

Strings stand between a word of their own, and everything else is as in JSON but for keys without quotes. The arguments go
out when the call's brace closes.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vllm_connect.parsing.grammars.header_calls import is_key, is_name
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.values import quote, stated
from vllm_connect.response.tool_arguments import MAX_BYTES, MAX_DEPTH

__all__ = ["BraceCalls"]

WORDS = {"None": "null", "none": "null", "True": "true", "False": "false"}
"""Python's words, which these models write too."""

MARKUP = frozenset(':<>|"')
"""What is in no text that lacks its quotes, but in one with a damaged end."""

_VALUE_END = re.compile(r"[,}\]]")


@dataclass(frozen=True)
class BraceCalls:
    """One call in braces, as a grammar: `block=BraceCalls(quote="<escape>", closers=("<end_function_call>",))`.

    Attributes:
        quote: The word around a string.
        closers: Words that may end the block.
        typed: Whether a string's type is what the tool's schema says, because the format writes all values as strings.
    """

    quote: str
    closers: tuple[str, ...]
    typed: bool = False

    def __call__(self, scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        """Read a call after its opener."""
        del opener
        yield from scanner.space()
        if not (yield from scanner.find("call:")):
            yield from scanner.find(":")
        head, mark = yield from scanner.up_to("{", limit=MAX_NAME)
        name = head.strip()
        if not mark or not is_name(name):
            return False
        scanner.begin(name)
        text, whole = yield from self._rest(scanner)
        if not whole:
            scanner.arguments("{" + text)
            return False
        try:
            arguments = _Reader(
                text, self.quote, partial(tools.takes, name), partial(tools.typed, name) if self.typed else None
            ).arguments()
        except ValueError:
            scanner.arguments("{" + text)
            return False
        scanner.arguments(arguments[:-1])
        scanner.end("}")
        space = yield from scanner.space()
        if not (yield from scanner.find(*self.closers)) and space:
            scanner.text(space)
        return True

    def _rest(self, scanner: Scanner) -> Reading[tuple[str, bool]]:
        """Read up to the brace that ends the arguments."""
        pieces: list[str] = []
        depth, size = 1, 0
        while size <= MAX_BYTES:
            piece, mark = yield from scanner.up_to(self.quote, "{", "}", "[", "]")
            pieces.append(piece)
            size += len(piece) + len(mark)
            if not mark:
                break
            if mark == self.quote:
                text, end = yield from scanner.up_to(self.quote)
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
    """Reads the whole arguments, and writes them as JSON: as they are, names given twice and all.

    Args:
        text: The text after the opening brace.
        quote: The word around a string.
        takes: Tells whether the tool declares a parameter.
        typed: Writes a text by its parameter's schema; None where the format itself tells strings from the rest.
    """

    def __init__(
        self, text: str, quote: str, takes: Callable[[str], bool], typed: Callable[[str, str], str] | None
    ) -> None:
        self._text = text
        self._quote = quote
        self._takes = takes
        self._typed = typed
        self._at = 0
        self._depth = 0

    def arguments(self) -> str:
        """Read the pairs of the outermost braces."""
        found = self._map(self._typed)
        if self._at < len(self._text):
            raise ValueError("the braces end before the text does")
        return found

    def _map(self, typed: Callable[[str, str], str] | None = None) -> str:
        members: list[str] = []
        self._deeper()
        while True:
            self._space()
            if self._is("}"):
                break
            key = self._key()
            text, is_text = self._value()
            members.append(f"{quote(key)}: {(typed(key, text) if typed else quote(text)) if is_text else text}")
            self._space()
            if not self._is(","):
                if not self._is("}"):
                    raise ValueError("a comma is missing")
                break
        self._depth -= 1
        return "{" + ", ".join(members) + "}"

    def _key(self) -> str:
        if self._is(self._quote):
            key = self._string()
            self._space()
        else:
            end = self._text.find(":", self._at)
            key = self._text[self._at : end].strip().strip("\"'") if end >= 0 else ""
            self._at = end
        if self._at < 0 or not (self._takes(key) or is_key(key)) or not self._is(":"):
            raise ValueError("a key is missing")
        return key

    def _value(self) -> tuple[str, bool]:
        """Read a value: JSON, or a text."""
        self._space()
        if self._is(self._quote):
            return self._string(), True
        if self._is("{"):
            return self._map(), False
        if self._is("["):
            return self._list(), False
        if self._text.startswith('"', self._at):
            value, self._at = json.JSONDecoder().raw_decode(self._text, self._at)
            return value, True
        ending = _VALUE_END.search(self._text, self._at)
        end = ending.start() if ending else len(self._text)
        bare = self._text[self._at : end].strip()
        self._at = end
        if not bare:
            raise ValueError("a value is missing")
        said = WORDS.get(bare) or stated(bare)
        if said != quote(bare):
            return said, False
        if not MARKUP.isdisjoint(bare):
            raise ValueError("a value holds markup")
        return bare, True

    def _list(self) -> str:
        found: list[str] = []
        self._deeper()
        while True:
            self._space()
            if self._is("]"):
                break
            text, is_text = self._value()
            found.append(quote(text) if is_text else text)
            self._space()
            if not self._is(","):
                if not self._is("]"):
                    raise ValueError("a comma is missing")
                break
        self._depth -= 1
        return "[" + ", ".join(found) + "]"

    def _string(self) -> str:
        end = self._text.index(self._quote, self._at)
        text = self._text[self._at : end]
        self._at = end + len(self._quote)
        return text

    def _is(self, word: str) -> bool:
        if self._text.startswith(word, self._at):
            self._at += len(word)
            return True
        return False

    def _space(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("nested too deep")
