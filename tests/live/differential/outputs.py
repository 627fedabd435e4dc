"""Texts as models write them: calls in each format's own words, whole and with what goes wrong.

`outputs("hermes", 20)` is twenty of them, the same ones every time.
"""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from vllm_connect import find_format

from tests.connect.parsing.renderers import ELEMENTS, JSON_FORMATS, ONE_CALL, TAG_FORMATS, Call, Render

RENDERERS: dict[str, Render] = {**JSON_FORMATS, **TAG_FORMATS, **ONE_CALL, **ELEMENTS}


def tool(name: str, required: list[str], **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TEXT, INTEGER, NUMBER, YES_NO = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
TOOLS = [
    tool("get_weather", ["city"], city=TEXT, days=INTEGER, metric=YES_NO),
    tool("search", ["query"], query=TEXT, limit=INTEGER, tags={"type": "array", "items": TEXT}),
    tool("move", ["x", "y"], x=NUMBER, y=NUMBER, options={"type": "object", "properties": {"fast": YES_NO}}),
    tool("ping", []),
]
WORDS = ["Paris", "São Paulo", "東京", "a b", "it's", "x > y", "1", "true", "null", "C++", "50%", "🎉", "a, b", "(x)"]
PROSE = ["I will look it up.", "Let me check: ", "Sure!\n\n", "2 < 3 and 4 > 1. "]


class Output(NamedTuple):
    """One text and what was done to it."""

    kind: str
    text: str


def arguments(source: random.Random, name: str) -> dict[str, Any]:
    word = source.choice(WORDS)
    some: dict[str, dict[str, Any]] = {
        "get_weather": {"city": word, "days": source.randint(-3, 40), "metric": source.random() < 0.5},
        "search": {"query": f"{word} {source.choice(WORDS)}", "limit": source.randint(0, 9), "tags": ["a", word]},
        "move": {"x": source.randint(0, 99) / 4, "y": -1.5, "options": {"fast": True}},
        "ping": {},
    }
    required = {"get_weather": ["city"], "search": ["query"], "move": ["x", "y"], "ping": []}[name]
    return {k: v for k, v in some[name].items() if k in required or source.random() < 0.6}


def calls(source: random.Random, most: int) -> list[Call]:
    names = [t["function"]["name"] for t in TOOLS]
    chosen = [source.choice(names) for _ in range(source.randint(1, most))]
    return [(name, arguments(source, name)) for name in chosen]


def whole(_: random.Random, text: str) -> str:
    return text


def prose_before(source: random.Random, text: str) -> str:
    return source.choice(PROSE) + text


def prose_after(source: random.Random, text: str) -> str:
    return f"{text}\n{source.choice(PROSE)}"


def truncated(source: random.Random, text: str) -> str:
    return text[: source.randint(1, len(text) - 1)]


def without_the_last_word(_: random.Random, text: str) -> str:
    """Leave out the closing word, as a model does that ends its turn early."""
    return re.sub(r"\s*(<[^<>]*>|[\])}])\s*$", "", text)


def spaced(_: random.Random, text: str) -> str:
    return f"\n\n{text}\n"


def garbled(source: random.Random, text: str) -> str:
    at = source.randrange(len(text))
    return text[:at] + text[at + 1 :]


def repeated(_: random.Random, text: str) -> str:
    return f"{text}\n{text}"


KINDS: list[Callable[[random.Random, str], str]] = [
    whole,
    whole,
    whole,
    prose_before,
    prose_after,
    spaced,
    repeated,
    without_the_last_word,
    truncated,
    garbled,
]


def outputs(name: str, count: int) -> Iterator[Output]:
    """Make texts of a format.

    Args:
        name: The format.
        count: How many.

    Yields:
        Texts of every kind in turn.
    """
    source = random.Random(name)  # noqa: S311 - texts, not secrets
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        rendered = RENDERERS[name](calls(source, 1 if name in ONE_CALL else 3))
        yield Output(kind.__name__, kind(source, rendered))


def markers(name: str) -> list[str]:
    """List the words of a format that are tokens of their own in its models' vocabulary."""
    source = random.Random(0)  # noqa: S311 - texts, not secrets
    sample = "".join(RENDERERS[name](calls(source, 1)) for _ in range(4))
    found = set(re.findall(r"</?[^<>\s\"=]+>", sample)) | {w for w in find_format(name).openers if w[0] == "<"}
    return sorted(found | {"<think>", "</think>", "<|python_tag|>", "[TOOL_CALLS]", "[ARGS]", *find_format(name).noise})
