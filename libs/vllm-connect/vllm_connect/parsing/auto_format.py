"""A format for models of which nothing is known: calls in any format that has an unambiguous start marker.

Several formats share a start marker. `<tool_call>` is followed by a brace (Hermes), a bracket (Granite 3.1), a tag (Qwen 3
Coder) or a name (GLM), so what follows decides, and then the formats' rank.
"""

from collections.abc import Iterable
from functools import lru_cache

from vllm_connect.parsing.format import Format, find_format, format_names
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["auto_format", "detecting_format"]


@lru_cache(maxsize=1)
def auto_format() -> Format:
    """Build the format that detects all others, once, when it is first needed."""
    return detecting_format(map(find_format, format_names()))


def detecting_format(formats: Iterable[Format]) -> Format:
    """Build a format that detects others by their start markers.

    Args:
        formats: The formats; those without unambiguous markers are not detected.
    """
    candidates: dict[str, list[Format]] = {}
    for format_ in sorted(dict.fromkeys(formats), key=lambda one: -one.rank):
        for marker in format_.start_markers if format_.unambiguous else ():
            if marker not in format_.undetected:
                candidates.setdefault(marker, []).append(format_)
    markers = tuple(
        one for one in candidates if not any(one != other and one.startswith(other) for other in candidates)
    )

    def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        chosen = yield from _choose(scanner, candidates[marker])
        return (yield from chosen.block(scanner, marker, tools))

    return Format(names=("auto",), start_markers=markers, block=block, forced=find_format("hermes").forced)


def _choose(scanner: Scanner, candidates: list[Format]) -> Reading[Format]:
    """Choose the format by what follows its start marker."""
    by_following = {following: one for one in reversed(candidates) for following in one.followed_by}
    if len(candidates) > 1 and by_following:
        yield from scanner.skip_whitespace()
        following = yield from scanner.accept(*by_following)
        if following:
            scanner.unread(following)
            return by_following[following]
    return next((one for one in candidates if not one.followed_by), candidates[0])
