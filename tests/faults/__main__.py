"""Try every fault on a client and print what came of it.

`python -m tests.faults` tries our three clients; `--client openai` and `--client openai-like` the ones that people use
today, which need an environment with them; `--write` puts the table into the page on reliability.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from tests.faults.canaries import SECRETS
from tests.faults.clients import CLIENTS
from tests.faults.elsewhere import ELSEWHERE
from tests.faults.judge import LOOPS, try_cell
from tests.faults.peers import ENVIRONMENTS, PEERS
from tests.faults.scenarios import FAULTS
from tests.pages import replace_section

RESULTS = Path("bench-results") / "faults"
TITLES = {
    "core": "vllm-connect",
    "langchain": "ChatVllm",
    "llamaindex": "VllmLLM",
    "openai": "ChatOpenAI",
    "openai-like": "OpenAILike",
}
Found = dict[str, dict[str, list[str]]]
"""What was wrong, by fault and way; empty lists where nothing was."""


def tried(name: str, wanted: list[str], looks: Counter[str]) -> Found:
    """Try faults on one client, and count the places in which secrets were looked for."""
    faults = [fault for fault in FAULTS if not wanted or fault.id in wanted]
    cells = [(fault, loop, mode) for fault in faults for loop in LOOPS for mode in fault.modes(name)]
    found: Found = {}
    for fault, loop, mode in tqdm(cells, desc=name, unit="cell", disable=not sys.stderr.isatty()):
        verdict = try_cell(fault, name, loop, mode, PEERS.get(name))
        wrong = verdict.wrong
        looks["places"] += verdict.places
        found.setdefault(fault.id, {})[f"{loop} {mode}"] = wrong
        if wrong:
            print(f"{fault.id} {name} {loop} {mode}: {'; '.join(wrong)}", flush=True)
    return found


def read_kept(name: str) -> Found:
    """Read the results of a client that earlier runs kept."""
    file = RESULTS / f"{name}.json"
    found: Found = json.loads(file.read_text()) if file.exists() else {}
    return found


def table(results: dict[str, Found]) -> str:
    """Lay out a row for each fault: in how many ways each client did right, and what went wrong."""
    names = [name for name in TITLES if name in results]
    lines = ["| | fault | " + " | ".join(TITLES[name] for name in names) + " |", "|---" * (len(names) + 2) + "|"]
    for fault in FAULTS:
        cells = [_cell(results[name].get(fault.id)) for name in names]
        alone = "" if fault.stream and fault.unary else f" ({fault.why_not})"
        lines.append(f"| {fault.id} | {fault.title}{alone} | " + " | ".join(cells) + " |")
    for other in ELSEWHERE:
        place = (
            f"[{other.where.partition('::')[2]}](../{other.where.partition('::')[0]})" if other.where else "not tried"
        )
        note = f" ({other.note})" if other.note else ""
        lines.append(f"| {other.id} | {other.title} | {place}{note} |" + " |" * (len(names) - 1))
    totals, logged = [], []
    for name in names:
        ways = [wrong for of_fault in results[name].values() for wrong in of_fault.values()]
        totals.append(f"**{sum(not _counted(wrong) for wrong in ways)} of {len(ways)}**")
        logged.append(
            "right" if not any(IN_LOGS & {*w} for w in ways) else f"in {sum(bool(IN_LOGS & {*w}) for w in ways)} cells"
        )
    lines.append("| F119 | the prompt in a log at DEBUG | " + " | ".join(logged) + " |")
    return "\n".join([*lines, "| | cells right | " + " | ".join(totals) + " |"])


IN_LOGS = frozenset({"log shows the prompt", "records shows the prompt"})
"""What is counted in a row of its own."""


def _counted(wrong: list[str]) -> list[str]:
    """Leave out what has a row of its own, and what is left open by a client that nobody closed."""
    return [what for what in wrong if what not in IN_LOGS and not what.startswith("warned: unclosed")]


def _cell(ways: dict[str, list[str]] | None) -> str:
    if ways is None:
        return ""
    wrong = [what for several in ways.values() for what in _counted(several)]
    if not wrong:
        return "right"
    first = wrong[0].replace("|", "/").replace("\n", " ")
    return f"{sum(not _counted(w) for w in ways.values())} of {len(ways)}: {first[:70]}"


def main() -> int:
    """Try, keep the results, print them; 1 if a cell is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("faults", nargs="*", help="numbers of faults; all by default")
    options.add_argument("--client", action="append", choices=[*TITLES], help="a client; our three by default")
    options.add_argument("--write", type=Path, help="a page in which to put the table of all results kept")
    chosen = options.parse_args()
    results: dict[str, Found] = {}
    looks: Counter[str] = Counter()
    for name in chosen.client or [*CLIENTS]:
        home = ENVIRONMENTS.get(name)
        if home is not None and not sys.executable.startswith(str(Path(home).absolute())):
            subprocess.run([f"{home}/bin/python", "-m", "tests.faults", "--client", name, *chosen.faults], check=False)
            continue
        results[name] = tried(name, chosen.faults, looks)
        RESULTS.mkdir(parents=True, exist_ok=True)
        kept_before = read_kept(name) if chosen.faults else {}
        (RESULTS / f"{name}.json").write_text(json.dumps({**kept_before, **results[name]}))
    ways = [wrong for found in results.values() for of_fault in found.values() for wrong in of_fault.values()]
    print(f"{sum(not wrong for wrong in ways)} of {len(ways)} cells right")
    print(f"{looks['places'] * len(SECRETS):,} looks for {len(SECRETS)} secrets in {looks['places']:,} places")
    if chosen.write:
        kept = {name: found for name in TITLES if (found := read_kept(name))}
        replace_section(chosen.write, "faults", table(kept))
    return 1 if any(ways) else 0


if __name__ == "__main__":
    sys.exit(main())
