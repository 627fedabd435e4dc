"""Texts in each format whose calls are known by construction: `tests/vectors/<format>.json`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vllm_connect import Completion, OutputParser, fold

FOLDER = Path(__file__).parents[2] / "vectors"


class Vector(NamedTuple):
    """One text.

    Attributes:
        name: Its name.
        format: The format it is written in.
        text: The text.
        tools: The tools of its request.
        calls: Names and arguments of the calls in it.
        content: The text around them, stripped.
    """

    name: str
    format: str
    text: str
    tools: list[dict[str, Any]]
    calls: list[tuple[str, Any]]
    content: str


def load() -> Iterator[Vector]:
    """Read all files."""
    for file in sorted(FOLDER.glob("*.json")):
        found = json.loads(file.read_text())
        for vector in found["vectors"]:
            yield Vector(
                vector["name"],
                vector["format"],
                vector["text"],
                found["tools"],
                [(call["name"], call["arguments"]) for call in vector["expected_calls"]],
                (vector["expected_content"] or "").strip(),
            )


ALL = list(load())


def parse(vector: Vector, pieces: Sequence[str]) -> Completion:
    """Parse a vector's text in pieces."""
    parser = OutputParser(vector.format, None, vector.tools)
    deltas = [delta for piece in pieces for delta in parser.push(piece)]
    return fold([*deltas, *parser.finish()], tools=vector.tools)


def summary(completion: Completion) -> tuple[list[tuple[str, Any]], str, int]:
    """Return what a vector is compared by: calls, content, and the number of invalid calls."""
    calls = [(call.name, call.parsed()) for call in completion.tool_calls]
    return calls, completion.text.strip(), len(completion.invalid_tool_calls)
