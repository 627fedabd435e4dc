"""The plots of the soak and of the storm of cancellations."""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from tests.faults.cancel import Storm
    from tests.faults.soak import Soak

__all__ = ["plot_cancel", "plot_soak"]


def plot_soak(result: "Soak", file: Path) -> None:
    """Draw memory, descriptors and tasks over the streams."""
    streams = [sample.streams for sample in result.samples]
    curves = {
        "memory (MB)": [sample.memory for sample in result.samples],
        "descriptors": [float(sample.descriptors) for sample in result.samples],
        "tasks": [float(sample.tasks) for sample in result.samples],
    }
    figure, panels = plt.subplots(3, 1, sharex=True, figsize=(7, 6), layout="constrained")
    for panel, (name, values) in zip(panels, curves.items(), strict=True):
        panel.plot(streams, values)
        panel.set_ylabel(name)
        panel.set_ylim(0, 1.25 * max(values))
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel(f"streams, {result.concurrency} at once")
    _save(figure, file)


def plot_cancel(result: "Storm", file: Path) -> None:
    """Draw how many cancellations had reached the server after how long."""
    figure, panel = plt.subplots(figsize=(7, 4), layout="constrained")
    shares = [100 * (at + 1) / len(result.lags) for at in range(len(result.lags))]
    panel.plot([1000 * lag for lag in result.lags], shares)
    panel.set_xscale("symlog", linthresh=1)
    panel.set_xlabel("from the cancellation to the server's notice (ms)")
    panel.set_ylabel("% of streams that were cancelled")
    panel.grid(alpha=0.3)
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    plt.close(figure)
