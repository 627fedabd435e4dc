"""The processes of a run: one server, and one for each subject, each with its own interpreter."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.bench.cases import Case
from tests.bench.subjects import SUBJECTS

__all__ = ["Server", "Worker", "interpreter", "present"]

ROOT = Path(__file__).parents[2]


def interpreter(environment: str) -> Path:
    """Find an environment's interpreter; our own is the one that runs."""
    return Path(sys.executable) if environment == ".venv" else ROOT / environment / "bin" / "python"


def present(name: str) -> bool:
    """Tell whether a subject's environment was made."""
    return interpreter(SUBJECTS[name].environment).exists()


class _Child:
    """A process of this package that talks in lines."""

    def __init__(self, environment: str, *arguments: str) -> None:
        self._name = arguments[-2:]
        command = [str(interpreter(environment)), "-m", *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _line(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with {self._process.wait()}")
        return json.loads(line)

    def _tell(self, what: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._line()

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Server(_Child):
    """The server.

    Attributes:
        base: Its address.
    """

    def __init__(self) -> None:
        super().__init__(".venv", "tests.bench.server")
        self.base = f"http://127.0.0.1:{self._line()}"

    def __enter__(self) -> "Server":
        return self

    def cpu(self) -> float:
        """Read the CPU time it has used, in seconds."""
        with urllib.request.urlopen(f"{self.base}/cpu") as reply:
            return float(reply.read())


class Worker(_Child):
    """The process of one subject.

    Args:
        name: The subject.

    Attributes:
        resident: Its resident memory once it was imported, in bytes.
    """

    def __init__(self, name: str) -> None:
        where = SUBJECTS[name]
        super().__init__(where.environment, "tests.bench.worker", where.module, where.name)
        self.resident: int = self._line()["resident"]

    def __enter__(self) -> "Worker":
        return self

    def measure(self, base: str, case: Case) -> dict[str, Any]:
        """Measure a case once; see `Measuring.measure`."""
        return self._tell({"base": base, "case": case._asdict()})  # type: ignore[no-any-return]  # what the worker gives

    def shares(self, base: str, case: Case, seconds: float) -> dict[str, float]:
        """Share the time of a case between packages; see `Measuring.shares`."""
        return self._tell({"base": base, "case": case._asdict(), "shares": seconds})  # type: ignore[no-any-return]  # the same

    def grow(self, base: str, calls: int) -> list[int]:
        """Read the resident memory while calls go on."""
        return self._tell({"base": base, "grow": calls})  # type: ignore[no-any-return]  # what the worker gives
