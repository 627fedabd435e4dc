"""Compare our parsers with those of the installed vLLM on the same texts.

`python -m tests.live.differential` prints how often they agree, parser by parser, every difference that `differences.json`
does not explain, and every explanation that nothing needs. It needs the environment that `tests/live/server/serve` makes.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.live.differential.comparison import (
    WRONG,
    Case,
    comparable,
    comparable_reasoning,
    compare_calls,
    compare_reasoning,
)
from tests.live.differential.outputs import DAMAGED, KINDS
from tests.pages import replace_section

HERE = Path(__file__).parent
COUNT = 20 * len(KINDS)


class Difference(NamedTuple):
    """Why two sides differ in one way, on texts of one kind, in some parsers."""

    verdict: str
    kind: str
    parsers: list[str]
    why: str


def deliberate() -> list[Difference]:
    """Read `differences.json`."""
    return [
        Difference(entry["verdict"], kind, parsers, entry["why"])
        for entry in json.loads((HERE / "differences.json").read_text())
        for kind, parsers in entry["where"].items()
    ]


def explanation(case: Case, differences: list[Difference]) -> str | None:
    """Return why a difference is deliberate; None if `differences.json` does not say."""
    return next(
        (
            one.why
            for one in differences
            if (one.verdict, one.kind) == (case.verdict, case.kind) and case.parser in one.parsers
        ),
        None,
    )


def unexplained(cases: list[Case], differences: list[Difference]) -> list[Case]:
    """Return the differences without an explanation, and those that cannot have one."""
    return [
        case
        for case in cases
        if case.verdict == WRONG or (case.verdict != "same" and explanation(case, differences) is None)
    ]


def unneeded(cases: list[Case], differences: list[Difference]) -> list[str]:
    """Return the explanations of differences that do not occur."""
    seen = {(case.verdict, case.kind, case.parser) for case in cases}
    names = {case.parser for case in cases}
    return [
        f"{one.verdict}, {one.kind}, {name}: explained, and there is no such difference"
        for one in differences
        for name in one.parsers
        if name in names and (one.verdict, one.kind, name) not in seen
    ]


def table(cases: list[Case], differences: list[Difference]) -> str:
    """Return a table of how often both sides agree, and the reasons for differences."""
    lines = [
        "| format | texts | the same, undamaged | the same, all | ours finds more | ours finds fewer | values differ |"
    ]
    lines.append("|---" * 7 + "|")
    for name in dict.fromkeys(case.parser for case in cases):
        of_name = [case for case in cases if case.parser == name]
        counts = Counter(case.verdict for case in of_name)
        sound = [case for case in of_name if case.kind not in DAMAGED]
        same = sum(case.verdict == "same" for case in sound) / len(sound)
        shares = [counts["same"] / len(of_name)]
        rest = [counts[kind] for kind in ("ours finds more", "ours finds fewer", "values differ")]
        lines.append(f"| {name} | {len(of_name)} | {same:.0%} | {shares[0]:.0%} | " + " | ".join(map(str, rest)) + " |")
    return "\n".join([*lines, "", *reasons(cases, differences)])


def reasoning_table(cases: list[Case], differences: list[Difference]) -> str:
    """Return a table of how often both sides find the same reasoning, and the reasons for differences."""
    lines = ["| reasoning parser | texts | the same |", "|---" * 3 + "|"]
    for name in dict.fromkeys(case.parser for case in cases):
        of_name = [case for case in cases if case.parser == name]
        lines.append(f"| {name} | {len(of_name)} | {sum(case.verdict == 'same' for case in of_name)} |")
    return "\n".join([*lines, "", *reasons(cases, differences)])


def reasons(cases: list[Case], differences: list[Difference]) -> list[str]:
    """Return the reasons for differences."""
    used: dict[tuple[str, str], dict[str, set[str]]] = {}
    for case in cases:
        why = explanation(case, differences) if case.verdict != "same" else None
        if why:
            used.setdefault((case.verdict, why), {}).setdefault(case.kind, set()).add(case.parser)
    return [
        f"- **{verdict}**: {why} ("
        + "; ".join(f"{kind.replace('_', ' ')}: {', '.join(sorted(names))}" for kind, names in where.items())
        + ")"
        for (verdict, why), where in used.items()
    ]


def shown(case: Case) -> str:
    """Return a description of one difference."""
    return f"{case.parser}, {case.kind}: {case.verdict}\n  text   {case.text!r}\n  ours   {case.ours}\n  theirs {case.theirs}"


def main() -> int:
    """Print the tables; return 1 if there is an unexplained difference or an unneeded explanation."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "formats", nargs="*", help="the formats to compare; all, and the reasoning parsers, by default"
    )
    options.add_argument("--count", type=int, default=COUNT, help="texts of each format")
    options.add_argument("--write", type=Path, help="a page in which to replace the tables")
    chosen = options.parse_args()
    differences = deliberate()
    calls = compare_calls(chosen.formats or comparable(), chosen.count)
    splits = [] if chosen.formats else compare_reasoning(comparable_reasoning())
    wrong = list(map(shown, unexplained([*calls, *splits], differences)))
    wrong += unneeded([*calls, *splits], differences) if chosen.count >= COUNT else []
    pages = {"differential": table(calls, differences), "differential-reasoning": reasoning_table(splits, differences)}
    print("\n".join([*wrong, *pages.values()]))
    for name, content in pages.items() if chosen.write else ():
        replace_section(chosen.write, name, content)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
