r"""The JSON in an answer with text around it.

"Sure!\n```json\n{"a": 1}\n```\nAnything else?" has `{"a": 1}`. It is for models and servers that ignore a constraint, and
opt-in with `extract_json=True`, since it discards text of the model.
"""

import json
import re
from collections.abc import Iterator

__all__ = ["extract_json"]

FENCE = "```"
MOST_OPENERS = 50
"""Brackets that are tried as the start of the JSON, so that the time stays linear in the text's length."""


def extract_json(text: str) -> str:
    """Find the JSON in a text.

    Args:
        text: An answer.

    Returns:
        The text itself if it is JSON, else the content of the first code fence with JSON, else the first complete object or
        list; the text itself where there is none.
    """
    for candidate in (text, *_fenced(text)):
        if _is_json(candidate):
            return candidate
    decoder = json.JSONDecoder()
    for _, start in zip(range(MOST_OPENERS), re.finditer(r"[{\[]", text), strict=False):
        try:
            _, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        return text[start.start() : end]
    return text


def _fenced(text: str) -> Iterator[str]:
    """Yield the content of code fences, without the languages that the fences name."""
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
