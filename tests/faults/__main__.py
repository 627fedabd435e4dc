"""Try every fault on a client and print what came of it.

`python -m tests.faults` tries our three clients; `--client openai` and `--client openai-like` the ones that people use
today, which need an environment with them; `--write` puts the table into the page on reliability.
"""

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

from tests.faults.clients import CLIENTS, WAYS
from tests.faults.judge import Verdict, try_cell
from tests.faults.scenarios import FAULTS


def main() -> int:
    """Print a line for each fault; 1 if a cell is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("faults", nargs="*", help="numbers of faults; all by default")
    options.add_argument("--client", action="append", help="a client; ours by default")
    options.add_argument("--write", type=Path, help="a page in which to replace the table")
    chosen = options.parse_args()
    names = chosen.client or list(CLIENTS)
    faults = [f for f in FAULTS if not chosen.faults or f.id in chosen.faults]
    cells = [(f, n, w) for f in faults for n in names for w in WAYS if f.scripts(w[1]) is not None]
    verdicts: dict[tuple[str, str], list[tuple[str, Verdict]]] = defaultdict(list)
    for fault, name, (loop, mode) in tqdm(cells, unit="cell", disable=not sys.stderr.isatty()):
        begun = time.monotonic()
        verdict = try_cell(fault, name, loop, mode)
        verdicts[fault.id, name].append((f"{loop} {mode}", verdict))
        if verdict.wrong:
            print(f"{fault.id} {name} {loop} {mode}: {'; '.join(verdict.wrong)}", flush=True)
        if time.monotonic() - begun > 3:
            print(f"{fault.id} {name} {loop} {mode}: {time.monotonic() - begun:.1f} s", flush=True)
    wrong = sum(bool(v.wrong) for several in verdicts.values() for _, v in several)
    print(f"{len(cells) - wrong} of {len(cells)} cells right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
