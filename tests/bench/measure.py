"""One run: every subject in every case, in turn, for some rounds, and what came out as plain values.

`{"text-astream": {"ChatVllm": [{"cpu": 0.004, "wall": 0.005, "chunks": 12, "short": 0}, ...]}}`.
"""

import contextlib
import statistics
from collections.abc import Iterable, Sequence
from math import log
from typing import Any

from tqdm import tqdm

from tests.bench.cases import CASES, GROWTH, OURS, PEERS, Case
from tests.bench.imports import import_times
from tests.bench.processes import Server, Worker, present
from tests.bench.subjects import SUBJECTS

__all__ = ["Results", "cost", "exponent", "measure", "quartiles"]

Results = dict[str, Any]
FEW = 5

SHARED = ("text-astream", "bursts-astream", "paced-64", "calls-64", "call", "acall")
"""Cases whose time is shared between packages."""


def small(case: Case) -> Case:
    """Make a case small, for a smoke run."""
    events = max(case.workload.events // 100, 4)
    workload = case.workload._replace(events=events)
    return case._replace(workload=workload, times=1, at_once=min(case.at_once, 2))


def measure(
    *, rounds: int, quick: bool = False, only: Sequence[str] = (), who: Sequence[str] = tuple(SUBJECTS)
) -> Results:
    """Measure everything.

    Args:
        rounds: How often.
        quick: Make every case small.
        only: Parts of the names of the cases to measure; none is all, and growth, memory and imports too.
        who: The subjects to measure.

    Returns:
        The raw figures, ready for JSON.
    """
    cases = [case for case in CASES if not only or any(part in case.name for part in only)]
    growth = {} if only else GROWTH
    everything: list[Case] = [*cases, *(case for listed in growth.values() for case in listed)]
    if quick:
        everything = [small(case) for case in everything]
    names = [name for name in who if present(name)]
    found: Results = {"cases": {}, "resident": {}, "grown": {}, "imports": {}, "shares": {}}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server())
        workers = {name: stack.enter_context(Worker(name)) for name in names}
        found["resident"] = {name: worker.resident for name, worker in workers.items()}
        turns = [
            (case, name) for _ in range(rounds) for case in everything for name in case.subjects if name in workers
        ]
        for case, name in tqdm(turns, desc="measure", unit="run"):
            before = server.cpu()
            got = workers[name].measure(server.base, case)
            if got:
                served = {"server": server.cpu() - before, "units": case.units()}
                found["cases"].setdefault(case.name, {}).setdefault(name, []).append({**got, **served})
        for case in everything:
            for name in OURS if case.name in SHARED else ():
                if name in workers:
                    shares = workers[name].shares(server.base, case, 0.05 if quick else 3)
                    found["shares"].setdefault(case.name, {})[name] = shares
        calls = 1000 if quick else 20000
        growing = [] if only else [name for name in OURS if name in workers]
        for name in tqdm(growing, desc="memory", unit="subject"):
            found["grown"][name] = workers[name].grow(server.base, calls)
    imported = [] if only else [name for name in (*OURS, *PEERS) if present(name)]
    for name in tqdm([n for _ in range(1 if quick else FEW) for n in imported], desc="imports", unit="import"):
        found["imports"].setdefault(name, []).append(import_times(name))
    return found


def cost(rounds: Iterable[dict[str, Any]]) -> list[float]:
    """List the cost of a unit in each round, in microseconds; that of the first chunk is on the clock."""
    return [each.get("first", each["cpu"]) / each["units"] * 1e6 for each in rounds]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Give the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def exponent(found: Results, which: str, name: str) -> float:
    """Fit the exponent of growth: 1 is in proportion, 2 is quadratic.

    Args:
        found: What `measure` gave.
        which: `chunks` or `streams`.
        name: The subject.
    """
    points = []
    for case in GROWTH[which]:
        rounds = found["cases"][case.name][name]
        points.append((log(rounds[0]["units"]), log(statistics.median(each["cpu"] for each in rounds))))
    return statistics.linear_regression(*zip(*points, strict=True)).slope
