"""A run as text: a table of medians and quartiles in Markdown, and how the goals came out."""

from collections.abc import Iterator

from tests.bench.cases import CASES
from tests.bench.goals import verdicts
from tests.bench.measure import Results, cost, quartiles
from tests.bench.subjects import SUBJECTS

__all__ = ["goals_table", "table"]


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


def goals_table(found: Results) -> Iterator[str]:
    """Write the lines of the table of goals."""
    yield "| compared | measured, wanted | |"
    yield "|---|---|---|"
    for compared, measured, reached in verdicts(found):
        yield f"| {compared} | {measured} | {'reached' if reached else 'missed'} |"
