"""The long commands, small: what they show of a few hundred requests must hold too."""

from pathlib import Path

from tests.faults.cancel import AFTERWARDS, storm
from tests.faults.load import abatch, achat, streams, table, threads
from tests.faults.plots import plot_cancel, plot_soak
from tests.faults.soak import soak


def test_a_small_soak(kind: str, tmp_path: Path) -> None:
    """F114."""
    result = soak(400, 64, kind)
    assert (result.wrong, result.left, result.orphans) == (0, (0, 0), 0)
    assert result.samples[-1].streams == 400
    assert max(sample.descriptors for sample in result.samples) <= 64 + 32
    assert "| wrong or failed | 0 |" in result.table()
    plot_soak(result, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").stat().st_size > 1000


def test_many_cancellations(kind: str, tmp_path: Path) -> None:
    """F11."""
    result = storm(500, kind)
    assert result.cancelled + result.answered == 500
    assert result.cancelled > 250
    assert (result.wrong, result.orphans, result.left) == (0, 0, (0, 0))
    assert result.afterwards == AFTERWARDS
    assert result.most_open <= result.pool == 10
    plot_cancel(result, tmp_path / "cancel.png")
    assert (tmp_path / "cancel.png").stat().st_size > 1000


def test_streams_at_once(kind: str) -> None:
    load = streams(kind, 300)
    assert load.whole
    assert load.most_open == 300
    assert f"| {load.name} | 300 | 0 | 0 | 0 | 300 |" in table([load])


def test_a_batch_waits_for_connections() -> None:
    for load in (abatch(600), achat(600)):
        assert load.whole
        assert load.most_open == 256


def test_threads(kind: str) -> None:
    load = threads(kind, 20, 4)
    assert load.whole
    assert load.most_open <= 20
