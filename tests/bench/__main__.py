"""`python -m tests.bench [--quick] [--rounds 7] [--only text call] [--write]`: measure, print, draw.

The raw figures go to `bench-results/results.json`, the pictures beside it; `--write` puts both tables and pictures into
the cookbook.
"""

import argparse
import json
import platform
from pathlib import Path

from tests.bench.figures import draw
from tests.bench.measure import Results, measure
from tests.bench.processes import ROOT, present
from tests.bench.subjects import SUBJECTS
from tests.bench.tables import goals_table, shares_table, table

__all__ = ["main"]

PAGE = ROOT / "cookbook" / "performance.md"
BEGIN, END = "<!-- written by make bench -->", "<!-- end -->"


def report(found: Results, rounds: int) -> list[str]:
    """Write the report of a run, in Markdown."""
    server = max(
        (sum(each["server"] for each in rows["socket"]) / sum(each["wall"] for each in rows["socket"]), name)
        for name, rows in found["cases"].items()
        if "socket" in rows
    )
    resident = ", ".join(f"{name} {size / 2**20:.0f}" for name, size in found["resident"].items() if present(name))
    return [
        f"Python {platform.python_version()}, {rounds} rounds; medians, quartiles in brackets.",
        "",
        "Cost of an event, by case:",
        "",
        *table(found, "event"),
        "",
        "Cost of a call, by case (`first-chunk` is on the clock, everything else CPU time):",
        "",
        *table(found, "call"),
        "",
        "Ratios:",
        "",
        *goals_table(found),
        "",
        "Where our own time goes, by the package whose code runs, sampled:",
        "",
        *shares_table(found),
        "",
        f"Resident memory after the imports, in MiB: {resident}.",
        "",
        f"The server was busy for at most {server[0]:.0%} of the time in which a bare socket read from it ({server[1]}).",
    ]


def write(lines: list[str], found: Results) -> None:
    """Put a report and its pictures into the cookbook."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + "\n".join([BEGIN, "", *lines, "", END]) + after)
    draw(found, PAGE.parent / "images")


def main(arguments: list[str] | None = None) -> Results:
    """Run from the command line; give the raw figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cases, one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=(), help="parts of the names of the cases")
    parser.add_argument("--write", action="store_true", help="put tables and pictures into the cookbook")
    parser.add_argument("--results", type=Path, default=ROOT / "bench-results")
    given = parser.parse_args(arguments)
    rounds = 1 if given.quick else given.rounds
    found = measure(rounds=rounds, quick=given.quick, only=given.only)
    given.results.mkdir(parents=True, exist_ok=True)
    (given.results / "results.json").write_text(json.dumps(found))
    lines = report(found, rounds)
    print("\n".join(lines))
    missing = [name for name in SUBJECTS if not present(name)]
    if missing:
        print(f"not measured, since `make .venv-peers` was not run: {', '.join(missing)}")
    if given.write:
        write(lines, found)
    else:
        draw(found, given.results)
    return found


if __name__ == "__main__":
    main()
