"""Words that end a text, and how much of a text's end may be the beginning of one.

With the stop `<tool_call>`, the text `1 <2` may all be said, and of `so <tool` the last five characters have to wait.
"""

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["Stops", "stops_of"]


class Stops:
    """Some words, made ready to be looked for.

    Args:
        words: The words; none is the beginning of another.

    Attributes:
        pattern: Finds the first of them.
        nested: Whether one of them is inside of another, so that a word may be found where a longer one is still to come.
    """

    __slots__ = ("_beginnings", "_first", "_firsts", "_longest", "nested", "pattern")

    def __init__(self, words: tuple[str, ...]) -> None:
        self.pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))
        self.nested = any(inner in outer[:-1] for inner in words for outer in words)
        self._beginnings = frozenset(word[:length] for word in words for length in range(1, len(word)))
        self._longest = max(map(len, self._beginnings), default=0)
        self._firsts = tuple({word[0] for word in words})
        firsts = "".join({word[0] for word in words if len(word) > 1})
        self._first: Callable[..., re.Match[str] | None] | None = (
            re.compile(f"[{re.escape(firsts)}]").search if firsts else None
        )

    def absent(self, text: str) -> bool:
        """Tell whether no word is in a text, nor begins at its end."""
        for first in self._firsts:  # a loop of fast searches: most texts have none of these characters
            if first in text:
                return self.pattern.search(text) is None and not self.kept(text, 0)
        return True

    def kept(self, text: str, at: int) -> int:
        """Count the characters at the end of a text that a word may begin with.

        Args:
            text: The text, in which no word is.
            at: Where what is not said yet begins.
        """
        size = len(text)
        if self._first is None:
            return 0
        start = self._first(text, max(at, size - self._longest))
        if start is None:
            return 0
        return next((size - i for i in range(start.start(), size) if text[i:] in self._beginnings), 0)


@lru_cache(maxsize=256)
def stops_of(words: tuple[str, ...]) -> Stops:
    """Make words ready, once."""
    return Stops(words)
