"""A run as text: a table of medians and quartiles in Markdown, and how the goals came out."""

from collections.abc import Iterator

from tests.bench.cases import CASES
from tests.bench.goals import verdicts
from tests.bench.measure import Results, cost, quartiles
from tests.bench.subjects import SUBJECTS

__all__ = ["goals_table", "shares_table", "table"]

LAYERS = (
    "vllm_connect",
    "langchain_vllm",
    "llama_index_vllm",
    "langchain_core",
    "llama_index",
    "pydantic",
    "aiohttp",
    "asyncio",
    "standard library",
)
"""Packages with a column of their own."""


def _shown(values: tuple[float, float, float]) -> str:
    low, middle, high = values
    digits = 1 if middle < 100 else 0
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def table(found: Results, unit: str) -> Iterator[str]:
    """Write the lines of a table.

    Args:
        found: What `measure` gave.
        unit: `event` or `call`.
    """
    cases = [case for case in CASES if case.unit == unit and case.name in found["cases"]]
    if not cases:
        return
    yield "| µs | " + " | ".join(case.name for case in cases) + " |"
    yield "|---" * (len(cases) + 1) + "|"
    for name in SUBJECTS:
        rows = [found["cases"][case.name].get(name) for case in cases]
        if any(rows):
            cells = [_shown(quartiles(cost(rounds))) if rounds else "" for rounds in rows]
            yield f"| {name} | " + " | ".join(cells) + " |"


def shares_table(found: Results) -> Iterator[str]:
    """Write the lines of the table of packages."""
    yield "| case | " + " | ".join(LAYERS) + " | others |"
    yield "|---" * (len(LAYERS) + 2) + "|"
    for case, subjects in found["shares"].items():
        for name, shares in subjects.items():
            parts = [shares.get(layer, 0.0) for layer in LAYERS]
            cells = " | ".join(f"{part:.0%}" for part in [*parts, 1 - sum(parts)])
            yield f"| {case}: {name} | {cells} |"


def goals_table(found: Results) -> Iterator[str]:
    """Write the lines of the table of goals."""
    yield "| compared | measured, wanted | |"
    yield "|---|---|---|"
    for compared, measured, reached in verdicts(found):
        yield f"| {compared} | {measured} | {'reached' if reached else 'missed'} |"
