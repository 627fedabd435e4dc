"""Texts as models write them: calls in each format's markup, complete and damaged.

`outputs("hermes", 20)` is twenty of them, the same ones every time, each with the calls that were rendered.
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
PLAN = tool(
    "plan",
    [],
    when={"anyOf": [TEXT, {"type": "null"}]},
    most={"type": ["integer", "null"]},
    share={"oneOf": [NUMBER, {"type": "null"}]},
    mode={"enum": ["fast", "slow"]},
    steps={"type": "array", "items": {"type": "object", "properties": {"id": INTEGER, "do": TEXT}}},
    days={"anyOf": [{"type": "array", "items": INTEGER}, {"type": "null"}]},
    where={"anyOf": [{"type": "object", "properties": {"lat": NUMBER}}, {"type": "null"}]},
)
POINT = {"$ref": "#/$defs/Point"}
ROUTE = tool("route", [], to=POINT, by={"anyOf": [POINT, {"type": "null"}]}, via={"type": "array", "items": POINT})
ROUTE["function"]["parameters"]["$defs"] = {"Point": {"type": "object", "properties": {"x": INTEGER, "name": TEXT}}}
TOOLS = [
    tool("get_weather", ["city"], city=TEXT, days=INTEGER, metric=YES_NO),
    tool("search", ["query"], query=TEXT, limit=INTEGER, tags={"type": "array", "items": TEXT}),
    tool("move", ["x", "y"], x=NUMBER, y=NUMBER, options={"type": "object", "properties": {"fast": YES_NO}}),
    tool("ping", []),
    PLAN,
    ROUTE,
]
WORDS = ["Paris", "São Paulo", "東京", "a b", "it's", "x > y", "C++", "50%", "🎉", "a, b", "(x)"]
LOOKALIKES = ["1", "007", "-1.50", "true", "False", "null", "None", "nan", "[]", "{}", '"quoted"', "1e5"]
QUOTED = [
    'say "hi"',
    "'single' and `back`",
    "C:\\new\\table",
    "a\\\\b\\",
    '{"k": "v\\n"}',
    "one\ntwo\n\nthree",
    "\na file that ends with its line\n",
    "\ttabbed\r\nwindows",
    "'''triple''' \"\"\"",
    "e\u0301 \u200d \u2028 \ufeff",
    "👩\u200d👩\u200d👧 \N{MATHEMATICAL BOLD CAPITAL A}",
    "f(x)[0] = {1: 2}",
    "\\u0041 \\x41 %20 &amp;",
]
MARKED = [
    "<b>bold</b> & <br/>",
    "if a < b && c > d:",
    "<tool_call>",
    "</tool_calls>",
    "<think>hm</think>",
    "<function=f>",
    "</function>",
    "</invoke> </parameters>",
    "[TOOL_CALLS]",
    "functools[",
    "<|im_end|>",
    "<｜tool▁calls▁begin｜>",
    "[f(x=1)]",
    "<|tool_call>call:f{}",
    "]]> <!-- -->",
]
PROSE = ["I will look it up.", "Let me check: ", "Sure!\n\n", "2 < 3 and 4 > 1. "]


class Output(NamedTuple):
    """One text.

    Attributes:
        kind: Its ingredients, or the damage.
        text: The text.
        calls: The calls that were rendered, in order.
    """

    kind: str
    text: str
    calls: list[Call]


def arguments(source: random.Random, name: str, words: list[str]) -> dict[str, Any]:
    word = source.choice(words)
    point = {"x": source.randint(-9, 9), "name": "a"}
    some: dict[str, dict[str, Any]] = {
        "get_weather": {"city": word, "days": source.randint(-3, 40), "metric": source.random() < 0.5},
        "search": {"query": f"{word} {source.choice(words)}", "limit": source.randint(0, 9), "tags": ["a", word]},
        "move": {"x": source.randint(0, 99) / 4, "y": -1.5, "options": {"fast": True}},
        "ping": {},
        "plan": {
            "when": source.choice(["noon", None]),
            "most": source.choice([3, None]),
            "share": source.choice([0.25, None]),
            "mode": "fast",
            "steps": source.choice([[], [{"id": 1, "do": "go"}, {"id": 2, "do": "3"}]]),
            "days": source.choice([[1, 2], None]),
            "where": source.choice([{"lat": 1.5}, None]),
        },
        "route": {"to": point, "by": source.choice([point, None]), "via": source.choice([[], [point, point]])},
    }
    required = {"get_weather": ["city"], "search": ["query"], "move": ["x", "y"]}.get(name, [])
    return {k: v for k, v in some[name].items() if k in required or source.random() < 0.6}


def rendered(source: random.Random, name: str, words: list[str], tools: list[str]) -> tuple[str, list[Call]]:
    chosen = [source.choice(tools) for _ in range(source.randint(1, 1 if name in ONE_CALL else 3))]
    calls = [(tool, arguments(source, tool, words)) for tool in chosen]
    return RENDERERS[name](calls), calls


PLAIN_TOOLS = ["get_weather", "search", "move", "ping"]
TEXT_TOOLS = ["get_weather", "search"]


def whole(source: random.Random, name: str) -> Output:
    return Output("whole", *rendered(source, name, WORDS, PLAIN_TOOLS))


def lookalikes(source: random.Random, name: str) -> Output:
    return Output("lookalikes", *rendered(source, name, LOOKALIKES, TEXT_TOOLS))


def quoted(source: random.Random, name: str) -> Output:
    return Output("quoted", *rendered(source, name, QUOTED, TEXT_TOOLS))


def marked(source: random.Random, name: str) -> Output:
    own = RENDERERS[name]([("ping", {}), ("search", {"query": "x"})])
    return Output("marked", *rendered(source, name, [word for word in MARKED if word not in own], TEXT_TOOLS))


def unions(source: random.Random, name: str) -> Output:
    return Output("unions", *rendered(source, name, WORDS, ["plan"]))


def references(source: random.Random, name: str) -> Output:
    return Output("references", *rendered(source, name, WORDS, ["route"]))


def unknown_tool(source: random.Random, name: str) -> Output:
    del source
    known = find_format(name).unambiguous
    calls = [("get_wether", {"city": "Paris"})]
    return Output("unknown_tool", RENDERERS[name](calls), calls if known else [])


def prose_before(source: random.Random, name: str) -> Output:
    text, calls = rendered(source, name, WORDS, PLAIN_TOOLS)
    return Output("prose_before", source.choice(PROSE) + text, calls)


def prose_after(source: random.Random, name: str) -> Output:
    text, calls = rendered(source, name, WORDS, PLAIN_TOOLS)
    return Output("prose_after", f"{text}\n{source.choice(PROSE)}", calls)


def spaced(source: random.Random, name: str) -> Output:
    text, calls = rendered(source, name, WORDS, PLAIN_TOOLS)
    return Output("spaced", f"\n\n{text}\n", calls)


def repeated(source: random.Random, name: str) -> Output:
    text, calls = rendered(source, name, WORDS, PLAIN_TOOLS)
    return Output("repeated", f"{text}\n{text}", calls * 2)


def without_the_last_marker(source: random.Random, name: str) -> Output:
    """Leave out the last end marker, as a model does that ends its turn early."""
    text, calls = rendered(source, name, WORDS, PLAIN_TOOLS)
    return Output("without_the_last_marker", re.sub(r"\s*(<[^<>]*>|[\])}])\s*$", "", text), calls)


def truncated(source: random.Random, name: str) -> Output:
    text, calls = rendered(source, name, WORDS, PLAIN_TOOLS)
    return Output("truncated", text[: source.randint(1, len(text) - 1)], calls)


def garbled(source: random.Random, name: str) -> Output:
    """Leave out one character."""
    text, calls = rendered(source, name, WORDS, PLAIN_TOOLS)
    at = source.randrange(len(text))
    return Output("garbled", text[:at] + text[at + 1 :], calls)


KINDS: list[Callable[[random.Random, str], Output]] = [
    whole,
    lookalikes,
    quoted,
    marked,
    unions,
    references,
    unknown_tool,
    prose_before,
    prose_after,
    spaced,
    repeated,
    without_the_last_marker,
    truncated,
    garbled,
]


CUT = frozenset({"without_the_last_marker", "truncated"})
"""Kinds in which only the first calls may be found."""

DAMAGED = CUT | {"garbled"}
"""Kinds in which not every call has to be found."""


def outputs(name: str, count: int) -> Iterator[Output]:
    """Generate texts of a format.

    Args:
        name: The format.
        count: How many.

    Yields:
        Texts of every kind in turn.
    """
    source = random.Random(name)  # noqa: S311 - texts, not secrets
    for i in range(count):
        yield KINDS[i % len(KINDS)](source, name)


def markers(name: str) -> list[str]:
    """Return the markers of a format that are single tokens in its models' vocabulary."""
    source = random.Random(0)  # noqa: S311 - texts, not secrets
    sample = "".join(rendered(source, name, ["x"], TEXT_TOOLS)[0] for _ in range(4))
    found = set(re.findall(r"</?[^<>\s\"=]+>", sample)) | {w for w in find_format(name).start_markers if w[0] == "<"}
    return sorted(
        found | {"<think>", "</think>", "<|python_tag|>", "[TOOL_CALLS]", "[ARGS]", *find_format(name).ignored_markers}
    )
