"""Regular expressions of a user tried on a model's text, which no expression may turn into a search without an end.

Python tries the ways through an expression one after the other. `(a+)+$` has exponentially many for a text that does not
match, and `a*b*c*`, with three repetitions, up to the third power of the text's length. So an expression that repeats
what itself repeats or chooses is not tried, nor any on a text for which the number of ways could pass `MOST_WAYS`: then
the server's grammar is trusted. So it is with an expression that is not Python's.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["guarded_patterns", "matches_whole"]

MOST_WAYS = 10**8
"""Ways through an expression up to which it is tried, about a second's worth."""


def matches_whole(pattern: str, text: str) -> bool:
    """Tell whether a text matches, white space around it aside; True where that cannot be told."""
    compiled = _compiled(pattern)
    if compiled is None or not _is_short(pattern, text):
        return True
    return compiled.fullmatch(text) is not None or compiled.fullmatch(text.strip()) is not None


def guarded_patterns(validator: Any) -> dict[str, Any]:
    """Give the keywords that try patterns, so that they do within bounds.

    Args:
        validator: A class of `jsonschema`'s validators, whose keywords these are in place of.
    """
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415 - slow to import, and few need it

    plain = validator.VALIDATORS

    def pattern(checker: Any, wanted: str, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
        del schema
        if checker.is_type(value, "string") and not _finds(wanted, value):
            yield ValidationError("the text does not match the pattern")

    def named(checker: Any, wanted: Mapping[str, Any], value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if all(_can_be_tried(each, value) for each in wanted):
            yield from plain["patternProperties"](checker, wanted, value, schema) or ()

    def others(checker: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if all(_can_be_tried(each, value) for each in schema.get("patternProperties", ())):
            yield from plain["additionalProperties"](checker, wanted, value, schema) or ()

    return {"pattern": pattern, "patternProperties": named, "additionalProperties": others}


def _finds(pattern: str, text: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or not _is_short(pattern, text, 1) or compiled.search(text) is not None


def _can_be_tried(pattern: str, value: Any) -> bool:
    names = value if isinstance(value, dict) else ()
    return _compiled(pattern) is not None and all(_is_short(pattern, name, 1) for name in names)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern; None for one that is not Python's or may take for ever."""
    try:
        return re.compile(pattern) if _repetitions(pattern) is not None else None
    except re.error:
        return None


def _is_short(pattern: str, text: str, also: int = 0) -> bool:
    """Tell whether a text is short enough for a pattern; `also` counts the places where a search may begin."""
    repetitions = _repetitions(pattern)
    return repetitions is not None and max(len(text), 1) ** (repetitions + also) <= MOST_WAYS


@lru_cache(maxsize=256)
def _repetitions(pattern: str) -> int | None:
    """Count the repetitions; None where a group is repeated that itself repeats or chooses."""
    stack: list[bool] = [False]
    closed = escaped = in_class = False
    count = 0
    for index, char in enumerate(pattern):
        repeats = char in "*+{" or (char == "?" and pattern[index - 1 : index] not in ("(", "*", "+", "}", "?"))
        if escaped or in_class:
            in_class = in_class and (escaped or char != "]")
            escaped = not escaped and char == "\\"
            closed = False
            continue
        if char in "*+{":
            if closed:
                return None
            count += 1
        closed = False
        if char == "\\":
            escaped = True
        elif char == "[":
            in_class = True
        elif char == "(":
            stack.append(False)
        elif char == ")" and len(stack) > 1:
            wild = stack.pop()
            stack[-1] = stack[-1] or wild
            closed = wild
        elif repeats or char == "|":
            stack[-1] = True
    return count
