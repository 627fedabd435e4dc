"""A run as pictures: what an event costs, what a call costs, how cost grows, and how memory does."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.cases import CASES, GROWTH
from tests.bench.measure import Results, cost, quartiles
from tests.bench.subjects import SUBJECTS

__all__ = ["draw"]

OURS, FLOOR, OTHER = "#1f6f8b", "#b0b0b0", "#d9822b"
COMPUTED = ("text-astream", "tool-astream", "astreams-256", "paced-64")
CALLED = ("call", "acall", "calls-64", "short-astream", "history-again")


def draw(found: Results, folder: Path) -> list[Path]:
    """Draw a run.

    Args:
        found: What `measure` gave.
        folder: Where the pictures go.

    Returns:
        Their files.
    """
    import matplotlib as mpl  # noqa: PLC0415 - slow, and a run may have no picture

    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    files = [_bars(found, COMPUTED, folder / "cost-of-an-event.png", "µs of CPU for each event")]
    files.append(_bars(found, CALLED, folder / "cost-of-a-call.png", "µs of CPU for each call"))
    if found["grown"]:
        files.append(_growth(found, folder / "growth.png"))
    return files


def _colour(name: str) -> str:
    if name.startswith(("ChatVllm", "VllmLLM")):
        return OURS
    return OTHER if name in ("ChatOpenAI", "OpenAILike") else FLOOR


def _bars(found: Results, names: Sequence[str], file: Path, label: str) -> Path:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend was chosen
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415 - the same

    cases = [case for case in CASES if case.name in names and case.name in found["cases"]]
    figure, axes = plt.subplots(1, max(len(cases), 1), figsize=(4.2 * max(len(cases), 1), 4.2), squeeze=False)
    for axis, case in zip(axes[0], cases, strict=False):
        rows = {
            name: quartiles(cost(found["cases"][case.name][name]))
            for name in SUBJECTS
            if name in found["cases"][case.name]
        }
        shown = list(reversed(rows))
        middles = [rows[name][1] for name in shown]
        spread = [[rows[n][1] - rows[n][0] for n in shown], [rows[n][2] - rows[n][1] for n in shown]]
        bars = axis.barh(shown, middles, xerr=spread, color=[_colour(name) for name in shown], error_kw={"lw": 0.8})
        axis.bar_label(bars, fmt="{:,.3g}", fontsize=7, padding=4)
        axis.set_xscale("log")
        axis.set_xlim(min(middles) / 2, max(middles) * 4)
        axis.xaxis.set_major_locator(LogLocator(10))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_title(case.name, fontsize=10)
        axis.tick_params(labelsize=7)
        axis.set_xlabel(label, fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file


def _growth(found: Results, file: Path) -> Path:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend was chosen

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
    for axis, (which, cases) in zip(axes, GROWTH.items(), strict=False):
        for name in cases[0].subjects:
            costs: list[Any] = [statistics.median(cost(found["cases"][case.name][name])) for case in cases]
            axis.plot([case.name.split("-")[1] for case in cases], costs, marker="o", label=name)
        axis.set_title(f"more {which}", fontsize=10)
        axis.set_ylabel("µs of CPU for each event", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=7)
    for name, sizes in found["grown"].items():
        axes[2].plot([500 * (i + 1) for i in range(len(sizes))], [size / 2**20 for size in sizes], label=name)
    axes[2].set_title("memory while requests go on", fontsize=10)
    axes[2].set_ylabel("resident MiB", fontsize=8)
    axes[2].set_ylim(bottom=0)
    axes[2].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file
