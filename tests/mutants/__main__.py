"""Break each rule of the table in a copy of the sources, and list the rules that no test holds.

    python -m tests.mutants                      # all rows; about two seconds each
    python -m tests.mutants chat/plan.py repair  # rows whose file has one of these in its path

The exit status is 1 if an edit survived, or if the table is stale.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from tests.mutants.mutant import ROOT, Mutant, list_mutants

COPIED = ("libs", "tests", "cookbook", "pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PASSED, FAILED, INTERRUPTED = 0, 1, 2
"""Exit statuses of pytest; a broken import interrupts the collection."""


def main(arguments: list[str]) -> int:
    """Run the rows, print a table, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="*", help="parts of the paths of the files; all by default")
    wanted = parser.parse_args(arguments).paths
    mutants = [m for m in list_mutants() if not wanted or any(part in m.file for part in wanted)]
    if stale := [mutant for mutant in mutants if mutant.occurrences() != 1]:
        for mutant in stale:
            print(f"text found {mutant.occurrences()} times  {mutant}")
        return 1
    with TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder)
        for name in COPIED:
            _copy(ROOT / name, copy / name)
        status, output = run_tests(copy, sorted({test for mutant in mutants for test in mutant.tests}))
        if status != PASSED:
            print(f"the tests fail without an edit:\n{output}")
            return 1
        counts = Counter[str]()
        for mutant in tqdm(mutants, unit="edit", disable=None):
            verdict = try_mutant(copy, mutant)
            counts[verdict] += 1
            tqdm.write(f"{verdict:8}  {mutant}", file=sys.stdout)
    print(f"\n{len(mutants)} edits: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in sorted(counts)))
    return int(counts["caught"] < len(mutants))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        shutil.copy(source, target)


def try_mutant(copy: Path, mutant: Mutant) -> str:
    """Apply an edit to the copy, run its tests, and undo it; return `caught`, `survived` or `error`."""
    path = copy / mutant.path.relative_to(ROOT)
    before = path.read_text(encoding="utf-8")
    _write(path, before.replace(mutant.text, mutant.replacement))
    try:
        status, _ = run_tests(copy, mutant.tests)
    finally:
        _write(path, before)
    return {PASSED: "survived", FAILED: "caught", INTERRUPTED: "caught"}.get(status, "error")


def _write(path: Path, text: str) -> None:
    """Write a source file, and remove its bytecode: of two edits in one second, the first would seem to be current."""
    path.write_text(text, encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()


def run_tests(copy: Path, tests: list[str]) -> tuple[int, str]:
    """Run tests of the copy on its sources, up to the first failure; return pytest's exit status and output."""
    sources = os.pathsep.join(str(folder) for folder in sorted((copy / "libs").iterdir()))
    environment = {**os.environ, "PYTHONPATH": sources}
    options = ["-q", "-x", "--timeout", "60", "-p", "no:cacheprovider", "-m", "not live"]
    command = [sys.executable, "-m", "pytest", *options, *(f"tests/{test}" for test in tests)]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout[-4000:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
