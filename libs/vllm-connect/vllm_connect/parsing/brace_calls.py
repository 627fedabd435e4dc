r"""Gemma's calls: `call:f{city:<|"|>Tokyo<|"|>,n:42,list:[1,2],map:{k:<|"|>v<|"|>}}`.

Strings stand between a word of their own, and everything else is as in JSON but for keys without quotes. The arguments go
out when the call's brace closes.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from vllm_connect.parsing.arguments import MAX_BYTES, MAX_DEPTH
from vllm_connect.parsing.header_calls import is_name
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tools import Tools

__all__ = ["BraceCalls"]

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
            value = _Reader(text, self).map()
        except ValueError:
            scanner.arguments("{" + text)
            return False
        if self.typed:
            value = {k: tools.typed(name, k, v) if isinstance(v, str) else v for k, v in value.items()}
        scanner.arguments(json.dumps(value, ensure_ascii=False)[:-1])
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
    """Reads the whole arguments."""

    def __init__(self, text: str, rule: BraceCalls) -> None:
        self._text = text
        self._quote = rule.quote
        self._at = 0
        self._depth = 0

    def map(self) -> dict[str, Any]:
        """Read pairs up to the closing brace."""
        found: dict[str, Any] = {}
        self._deeper()
        while True:
            self._space()
            if self._is("}"):
                break
            key = self._key()
            if key in found:
                raise ValueError("a key twice")
            found[key] = self._value()
            self._space()
            if not self._is(","):
                if not self._is("}"):
                    raise ValueError("a comma is missing")
                break
        self._depth -= 1
        return found

    def _key(self) -> str:
        if self._is(self._quote):
            key = self._string()
            self._space()
        else:
            end = self._text.find(":", self._at)
            key = self._text[self._at : end].strip().strip("\"'") if end >= 0 else ""
            self._at = end
        if self._at < 0 or not key or len(key) > MAX_NAME or not self._is(":"):
            raise ValueError("a key is missing")
        return key

    def _value(self) -> Any:
        self._space()
        if self._is(self._quote):
            return self._string()
        if self._is("{"):
            return self.map()
        if self._is("["):
            return self._list()
        ending = _VALUE_END.search(self._text, self._at)
        end = ending.start() if ending else len(self._text)
        if self._text[self._at : self._at + 1] == '"':
            value, end = json.JSONDecoder().raw_decode(self._text, self._at)
            self._at = end
            return value
        bare = self._text[self._at : end].strip()
        self._at = end
        return self._bare(bare)

    @staticmethod
    def _bare(text: str) -> Any:
        try:
            return json.loads(text, parse_constant=_refuse)
        except ValueError:
            words = {"None": None, "none": None, "True": True, "False": False}
            if not text:
                raise
            return words.get(text, text)

    def _list(self) -> list[Any]:
        found: list[Any] = []
        self._deeper()
        while True:
            self._space()
            if self._is("]"):
                break
            found.append(self._value())
            self._space()
            if not self._is(","):
                if not self._is("]"):
                    raise ValueError("a comma is missing")
                break
        self._depth -= 1
        return found

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


def _refuse(name: str) -> None:
    raise ValueError(name)
