"""Where a process spends its time, by package: the running frame is looked at again and again, by the clock of the CPU.

`with Sampler() as sampler: work()` and then `sampler.shares()` is `{"langchain_core": 0.5, "vllm_connect": 0.3, ...}`. What
C code spends counts for the Python code that called it.
"""

import signal
import sysconfig
from collections import Counter
from pathlib import Path
from types import FrameType, TracebackType

__all__ = ["Sampler"]

EVERY = 0.001
"""Seconds of CPU time between two looks; kernels of a coarser clock look less often."""

OURS = ("vllm_connect", "langchain_vllm", "llama_index_vllm")
STANDARD = sysconfig.get_path("stdlib")


class Sampler:
    """Samples this process, from its main thread, for as long as its context lasts."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> "Sampler":
        self._before = signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def shares(self) -> dict[str, float]:
        """Give each package's share of the time, the largest first."""
        total = self._counts.total()
        return {layer: count / total for layer, count in self._counts.most_common()}

    def _look(self, _: int, frame: FrameType | None) -> None:
        if frame is not None:
            self._counts[_layer(frame.f_code.co_filename)] += 1


def _layer(file: str) -> str:
    """Name the package of a file: one of ours, one that is installed, or the standard library's."""
    parts = Path(file).parts
    for name in OURS:
        if name in parts:
            return name
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if file.startswith(STANDARD):
        return "asyncio" if "asyncio" in parts else "standard library"
    return "benchmark"
