r"""The JSON in an answer of a model that talks round it.

"Sure!\n```json\n{"a": 1}\n```\nAnything else?" has `{"a": 1}`. It is for models and servers that ignore a constraint, and
done only when asked for with `extract_json=True`: it decides which words of the model count.
"""

import json
import re
from collections.abc import Iterator

__all__ = ["extract_json"]

FENCE = "```"
MOST_OPENERS = 50
"""Brackets that are tried as the begin of the JSON, so that a text of nothing else costs no square of its length."""


def extract_json(text: str) -> str:
    """Find the JSON in a text.

    Args:
        text: An answer.

    Returns:
        The text itself if it is JSON, else what the first code fence with JSON holds, else the first whole object or list;
        the text itself where there is none.
    """
    for candidate in (text, *_fenced(text)):
        if _is_json(candidate):
            return candidate
    decoder = json.JSONDecoder()
    for _, opener in zip(range(MOST_OPENERS), re.finditer(r"[{\[]", text), strict=False):
        try:
            _, end = decoder.raw_decode(text, opener.start())
        except (ValueError, RecursionError):
            continue
        return text[opener.start() : end]
    return text


def _fenced(text: str) -> Iterator[str]:
    """List what stands in code fences, without the languages that the fences name."""
    for block in text.split(FENCE)[1::2]:
        _, line_end, inside = block.partition("\n")
        if line_end:
            yield inside.strip()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
