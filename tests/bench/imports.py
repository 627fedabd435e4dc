"""What importing a package costs beside its framework, in fresh interpreters, by `-X importtime`.

The framework is what any program that uses a model of it imports: `BaseChatModel` of langchain-core, `llama_index.core`.
"""

import os
import subprocess

from tests.bench.processes import ROOT, interpreter
from tests.bench.subjects import SUBJECTS

__all__ = ["import_times"]


def _total(environment: str, statements: str) -> int:
    """Import, and add up what each module took by itself, in microseconds."""
    command = [str(interpreter(environment)), "-X", "importtime", "-c", statements]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=True)
    lines = (line.removeprefix("import time:").split("|") for line in done.stderr.splitlines() if "|" in line)
    return sum(int(parts[0]) for parts in lines if parts[0].strip().isdigit())


def import_times(name: str) -> dict[str, int]:
    """Measure a subject's imports once.

    Args:
        name: The subject.

    Returns:
        Microseconds of the framework alone, and of both.
    """
    where = SUBJECTS[name]
    assert where.imports is not None
    wanted, framework = where.imports
    return {
        "framework": _total(where.environment, framework),
        "both": _total(where.environment, f"{framework}\n{wanted}"),
    }
