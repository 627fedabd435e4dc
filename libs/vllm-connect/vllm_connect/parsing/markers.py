"""A set of markers to search text for, and how much of a text's end may be the start of one.

With the marker `<tool_call>`, all of `1 <2` may be passed on, and of `so <tool` the last five characters have to wait.
"""

import re
from collections.abc import Collection
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


NOTHING = r"(?!)"
"""An expression that matches nothing."""


def _possible(markers: Collection[str]) -> str:
    r"""Return an expression for any of some markers, or the start of one at the end of a text: `<(?:a(?:b|\Z)|\Z)` for `<ab`."""
    if "" in markers:
        return ""
    following: dict[str, list[str]] = {}
    for marker in markers:
        following.setdefault(marker[0], []).append(marker[1:])
    branches = []
    for first, rest in sorted(following.items()):
        inner = _possible(rest)
        branches.append(re.escape(first) + (f"(?:{inner}|\\Z)" if inner else ""))
    return "|".join(branches)


class Markers:
    """A set of markers, compiled.

    Args:
        markers: The markers; none is the beginning of another.

    Attributes:
        pattern: Matches any of them.
        possible: Searches for one of them, or for what may be the start of one at the end of a text.
        nested: Whether one of them is inside of another, so that a marker may be found while a longer one is incomplete.
    """

    __slots__ = ("_first", "_longest", "_prefixes", "nested", "pattern", "possible")

    def __init__(self, markers: tuple[str, ...]) -> None:
        self.pattern = re.compile("|".join(re.escape(marker) for marker in sorted(markers, key=len, reverse=True)))
        self.nested = any(inner in outer[:-1] for inner in markers for outer in markers)
        self._prefixes = frozenset(marker[:length] for marker in markers for length in range(1, len(marker)))
        self._longest = max(map(len, self._prefixes), default=0)
        self.possible = re.compile(_possible(markers) or NOTHING).search
        starts = "".join({marker[0] for marker in markers if len(marker) > 1})
        self._first = re.compile(f"[{re.escape(starts)}]").search if starts else None

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
