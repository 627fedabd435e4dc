"""What importing a package costs beside its framework, in fresh interpreters, by `-X importtime`.

The framework is what any program that uses a model of it imports: `BaseChatModel` of langchain-core, `llama_index.core`.
"""

import os
import subprocess

from tests.bench.processes import ROOT, interpreter
from tests.bench.subjects import SUBJECTS

__all__ = ["import_times"]


MARK = "framework imported"


def import_times(name: str) -> dict[str, int]:
    """Measure a subject's imports once, both in one process, so that a busy moment meets both alike.

    Args:
        name: The subject.

    Returns:
        Microseconds of the framework, and of what the subject imports on top of it.
    """
    where = SUBJECTS[name]
    assert where.imports is not None
    wanted, framework = where.imports
    statements = f"{framework}\nimport sys\nprint({MARK!r}, file=sys.stderr, flush=True)\n{wanted}"
    command = [str(interpreter(where.environment)), "-X", "importtime", "-c", statements]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=True)
    before, _, after = done.stderr.partition(MARK)
    return {"framework": _total(before), "added": _total(after)}


def _total(log: str) -> int:
    """Add up what each module took by itself, in microseconds."""
    lines = (line.removeprefix("import time:").split("|") for line in log.splitlines() if "|" in line)
    return sum(int(parts[0]) for parts in lines if parts[0].strip().isdigit())
