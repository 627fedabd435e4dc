"""Measures one subject, in a process of its own: `python -m tests.bench.worker MODULE CLASS`.

It reads one case a line, as JSON, and answers each with one line: `{"cpu": 0.0123, "wall": 0.02, "chunks": 1000}`.
"""

import asyncio
import gc
import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench.cases import Case
from tests.bench.layers import Sampler
from tests.bench.workloads import Workload

__all__ = ["Measuring"]

METHODS = {"first": "astream", "history": "call_history"}
"""The methods of a subject that ways of another name need."""

COUNTED_LOOP = 500
"""Calls between two readings of the resident memory."""


class Measuring:
    """Measures one subject.

    Args:
        subject: Who is measured.
    """

    def __init__(self, subject: Any) -> None:
        self._subject = subject
        new_event_loop: Callable[[], asyncio.AbstractEventLoop]
        new_event_loop = getattr(subject, "new_event_loop", asyncio.new_event_loop)
        self._loop = new_event_loop()
        self._warm: set[str] = set()

    def measure(self, base: str, case: Case) -> dict[str, Any]:
        """Measure a case once.

        Returns:
            Seconds of this process's CPU and on the clock, chunks, and how many answers lacked text; nothing where
            the subject has no such way.
        """
        if not hasattr(self._subject, METHODS.get(case.way, case.way)):
            return {}
        url = base + case.workload.path()
        run = self._run_of(case, url)
        if case.name not in self._warm and not case.name.endswith("-new"):
            self._warm.add(case.name)
            run(1)
        gc.collect()
        started, began = time.process_time(), time.perf_counter()
        counted = run(case.times)
        spent = {"cpu": time.process_time() - started, "wall": time.perf_counter() - began}
        return {**spent, **counted}

    def shares(self, base: str, case: Case, seconds: float) -> dict[str, float]:
        """Share the time of a case, repeated for some seconds of CPU time, between the packages it runs in."""
        run = self._run_of(case, base + case.workload.path())
        run(1)
        until = time.process_time() + seconds
        with Sampler() as sampler:
            while time.process_time() < until:
                run(case.times)
        return sampler.shares()

    def grow(self, base: str, calls: int) -> list[int]:
        """Read the resident memory, in bytes, again and again while calls go on, 50 at a time."""
        url = base + Workload("unary", 50).path()
        sizes = []
        for _ in range(calls // COUNTED_LOOP):
            for _ in range(COUNTED_LOOP // 50):
                self._loop.run_until_complete(self._subject.acall(url, 50))
            gc.collect()
            sizes.append(resident())
        return sizes

    def _run_of(self, case: Case, url: str) -> Callable[[int], dict[str, Any]]:
        subject = self._subject
        tools = case.workload.kind == "tool"
        size = case.workload.size()

        def stream(times: int) -> dict[str, Any]:
            return self._sum([self._read(url, tools, size) for _ in range(times)])

        def astream(times: int) -> dict[str, Any]:
            counts: list[tuple[int, bool]] = []
            for _ in range(times):
                counts += self._loop.run_until_complete(self._aread(url, tools, size, case.at_once))
            return self._sum(counts)

        def call(times: int) -> dict[str, Any]:
            for _ in range(times):
                subject.call(url)
            return {}

        async def acalls(times: int) -> None:
            for _ in range(times):
                await subject.acall(url, case.at_once)

        def acall(times: int) -> dict[str, Any]:
            self._loop.run_until_complete(acalls(times))
            return {}

        def construct(times: int) -> dict[str, Any]:
            for _ in range(times):
                subject.construct(url)
            return {}

        ways = {"stream": stream, "astream": astream, "call": call, "acall": acall, "construct": construct}
        if case.way == "history":
            history = subject.history(case.name.endswith("-new"))

            def call_history(times: int) -> dict[str, Any]:
                for _ in range(times):
                    subject.call_history(url, history)
                return {}

            return call_history
        return ways.get(case.way) or (lambda times: self._first(url, tools, times))

    def _read(self, url: str, tools: bool, size: int) -> tuple[int, bool]:
        subject = self._subject
        text, count, read = subject.text, 0, 0
        for chunk in subject.stream(url, tools):
            count += 1
            read += len(text(chunk))
        return count, read >= size

    async def _aread(self, url: str, tools: bool, size: int, at_once: int) -> list[tuple[int, bool]]:
        subject = self._subject
        text = subject.text

        async def one() -> tuple[int, bool]:
            count = read = 0
            async for chunk in await subject.astream(url, tools):
                count += 1
                read += len(text(chunk))
            return count, read >= size

        return await asyncio.gather(*(one() for _ in range(at_once)))

    def _first(self, url: str, tools: bool, times: int) -> dict[str, Any]:
        """Wait for the first chunk with text, on the clock."""

        async def one() -> float:
            began = time.perf_counter()
            waited = 0.0
            async for chunk in await self._subject.astream(url, tools):
                if not waited and self._subject.text(chunk):
                    waited = time.perf_counter() - began
            return waited

        return {"first": sum(self._loop.run_until_complete(one()) for _ in range(times))}

    @staticmethod
    def _sum(counts: list[tuple[int, bool]]) -> dict[str, Any]:
        return {"chunks": sum(count for count, _ in counts), "short": sum(not whole for _, whole in counts)}


def resident() -> int:
    """Read this process's resident memory in bytes."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib would be imported into every peer's figure
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """Serve the commands on standard input."""
    subject = getattr(importlib.import_module(f"tests.bench.{sys.argv[1]}"), sys.argv[2])()
    measuring = Measuring(subject)
    print(json.dumps({"resident": resident()}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "grow" in command:
            print(json.dumps(measuring.grow(command["base"], command["grow"])), flush=True)
            continue
        given = command["case"]
        case = Case(**{**given, "workload": Workload(*given["workload"])})
        if "shares" in command:
            print(json.dumps(measuring.shares(command["base"], case, command["shares"])), flush=True)
            continue
        print(json.dumps(measuring.measure(command["base"], case)), flush=True)


if __name__ == "__main__":
    main()
