"""User-supplied regular expressions matched against a model's text in bounded time.

Python's engine backtracks: `(a+)+$` takes exponential time on a text that does not match, and `a*b*c*`, with three
repetitions, up to the third power of the text's length. So an expression that repeats a group which itself repeats or
has alternatives is not run, nor any expression on a text for which the number of paths could exceed `MAX_PATHS`: then the
server's grammar is trusted. The same holds for an expression that is not valid in Python.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["guarded_patterns", "matches_whole"]

MAX_PATHS = 10**8
"""Paths through an expression up to which it is run, about a second's worth."""


def matches_whole(pattern: str, text: str) -> bool:
    """Check whether a text matches, ignoring whitespace around it; True where that cannot be decided."""
    compiled = _compiled(pattern)
    if compiled is None or not _is_short(pattern, text):
        return True
    return compiled.fullmatch(text) is not None or compiled.fullmatch(text.strip()) is not None


def guarded_patterns(validator: Any) -> dict[str, Any]:
    """Return the validators of keywords with patterns, in bounded time.

    Args:
        validator: A class of `jsonschema`'s validators, whose keywords these replace.
    """
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415 - slow to import, and few need it

    plain = validator.VALIDATORS

    def pattern(checker: Any, wanted: str, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
        del schema
        if checker.is_type(value, "string") and not _finds(wanted, value):
            yield ValidationError("the text does not match the pattern")

    def named(checker: Any, wanted: Mapping[str, Any], value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if all(_can_be_run(each, value) for each in wanted):
            yield from plain["patternProperties"](checker, wanted, value, schema) or ()

    def others(checker: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if all(_can_be_run(each, value) for each in schema.get("patternProperties", ())):
            yield from plain["additionalProperties"](checker, wanted, value, schema) or ()

    return {"pattern": pattern, "patternProperties": named, "additionalProperties": others}


def _finds(pattern: str, text: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or not _is_short(pattern, text, 1) or compiled.search(text) is not None


def _can_be_run(pattern: str, value: Any) -> bool:
    names = value if isinstance(value, dict) else ()
    return _compiled(pattern) is not None and all(_is_short(pattern, name, 1) for name in names)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern; None for one that is not valid in Python or may take exponential time."""
    try:
        return re.compile(pattern) if _repetitions(pattern) is not None else None
    except re.error:
        return None


def _is_short(pattern: str, text: str, also: int = 0) -> bool:
    """Check whether a text is short enough for a pattern; `also` is 1 for a search, which may begin anywhere."""
    repetitions = _repetitions(pattern)
    return repetitions is not None and max(len(text), 1) ** (repetitions + also) <= MAX_PATHS


@lru_cache(maxsize=256)
def _repetitions(pattern: str) -> int | None:
    """Count the repetitions; None where a group is repeated that itself repeats or has alternatives."""
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
