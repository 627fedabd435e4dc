"""A set of markers to search text for, and how much of a text's end may be the start of one.

With the marker `<tool_call>`, all of `1 <2` may be passed on, and of `so <tool` the last five characters have to wait.
"""

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["TURN_ENDS", "Markers", "compile_markers"]

TURN_ENDS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|end|>",
    "<|return|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|endofturn|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|END_OF_TURN_TOKEN|>",
    "<|user|>",
    "<|observation|>",
    "<|role_end|>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "<seed:eos>",
    "</s>",
    "<eos>",
)
"""Special tokens with which models end a turn; at the end of a text they are markup."""


class Markers:
    """A set of markers, compiled.

    Args:
        markers: The markers; none is the beginning of another.

    Attributes:
        pattern: Matches any of them.
        first_character: Searches for a character that one of them begins with; None without markers.
        nested: Whether one of them is inside of another, so that a marker may be found while a longer one is incomplete.
    """

    __slots__ = ("_first", "_first_characters", "_longest", "_prefixes", "first_character", "nested", "pattern")

    def __init__(self, markers: tuple[str, ...]) -> None:
        self.pattern = re.compile("|".join(re.escape(marker) for marker in sorted(markers, key=len, reverse=True)))
        self.nested = any(inner in outer[:-1] for inner in markers for outer in markers)
        self._prefixes = frozenset(marker[:length] for marker in markers for length in range(1, len(marker)))
        self._longest = max(map(len, self._prefixes), default=0)
        self._first_characters = tuple({marker[0] for marker in markers})
        self.first_character = self._searching(self._first_characters)
        self._first = self._searching(tuple({marker[0] for marker in markers if len(marker) > 1}))

    @staticmethod
    def _searching(characters: tuple[str, ...]) -> Callable[..., re.Match[str] | None] | None:
        """Return a function that searches for any of the characters; None if there are none."""
        return re.compile(f"[{re.escape(''.join(characters))}]").search if characters else None

    def absent(self, text: str) -> bool:
        """Check whether no marker is in a text, nor begins at its end."""
        for first in self._first_characters:  # a loop of fast searches: most texts have none of these characters
            if first in text:
                return self.pattern.search(text) is None and not self.partial_suffix(text, 0)
        return True

    def partial_suffix(self, text: str, start: int) -> int:
        """Return the length of the longest suffix of a text that a marker may begin with.

        Args:
            text: The text, in which there is no marker.
            start: Where the text begins.
        """
        size = len(text)
        if self._first is None:
            return 0
        found = self._first(text, max(start, size - self._longest))
        if found is None:
            return 0
        return next((size - i for i in range(found.start(), size) if text[i:] in self._prefixes), 0)


@lru_cache(maxsize=256)
def compile_markers(markers: tuple[str, ...]) -> Markers:
    """Compile a set of markers, once."""
    return Markers(markers)
