r"""Which regular expressions a grammar backend reads as they are meant.

`^[a-z]{2,4}$` is one. A word boundary, a back reference, a flag, a Unicode class or a lookbehind is refused by xgrammar, which
makes vLLM choose another backend for good, and `\A` is read as the letter. A lookahead is accepted and ignored.
Source: xgrammar 0.2 of vLLM 0.32.0 and 0.33.0, each construct tried on it.
"""

import re
from functools import lru_cache

__all__ = ["has_lookahead", "is_supported_pattern"]

ESCAPE = r"\\(?:[dDwWsSnrtfv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^\w\s])"

SUPPORTED = re.compile(
    rf"(?:{ESCAPE}"
    rf"|\[\^?(?:{ESCAPE}|[^\]\\^])(?:{ESCAPE}|[^\]\\])*\]"  # a class
    r"|\((?!\?)|\(\?(?::|=|!|P?<[A-Za-z_]\w*>)"  # the start of a group
    r"|\{\d{1,3}(?:,\d{0,3})?\}"  # a repetition; the grammar of a larger one cannot be compiled
    r"|[^\\\[({])*"
)
"""A sequence of constructs; each begins with other characters, so that matching is linear."""

LOOKAHEAD = re.compile(r"\(\?[=!]")


@lru_cache(maxsize=256)
def is_supported_pattern(pattern: str) -> bool:
    """Check whether the backend supports a regular expression, and reads it as Python does."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return SUPPORTED.fullmatch(pattern) is not None


def has_lookahead(pattern: str) -> bool:
    """Check whether a regular expression has a lookahead, which the backend ignores."""
    return LOOKAHEAD.search(pattern) is not None
