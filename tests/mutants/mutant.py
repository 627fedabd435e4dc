"""An edit of the sources that breaks one rule."""

from pathlib import Path
from typing import NamedTuple

from tests.mutants.table import TABLE

__all__ = ["ROOT", "Mutant", "list_mutants"]

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    """One row of the table.

    Attributes:
        file: The file, `vllm_connect/chat/plan.py`.
        text: A text that stands in it once.
        replacement: What stands in its place after the edit.
        tests: The tests that have to fail then, as paths within `tests/`.
    """

    file: str
    text: str
    replacement: str
    tests: list[str]

    @property
    def path(self) -> Path:
        """The path of the file."""
        (found,) = ROOT.glob(f"libs/*/{self.file}")
        return found

    def occurrences(self) -> int:
        """Count how often the text stands in the file."""
        return self.path.read_text(encoding="utf-8").count(self.text)

    def __str__(self) -> str:
        return f"{self.file}: {' '.join(self.text.split())[:60]} -> {' '.join(self.replacement.split())[:60]}"


def list_mutants() -> list[Mutant]:
    """List the rows of the table."""
    return [Mutant(file, *row[:2], row[2].split()) for file, rows in TABLE.items() for row in rows]
