"""A hundred thousand streams: memory, descriptors and tasks stay as they were.

`make soak` runs them at concurrency 64 against a server in another process, and fails where memory grows by 1 MB or more
in 10,000 streams after the first tenth of them, or where descriptors or tasks are left. `--write` puts the figures into
`cookbook/reliability.md` and the plot into `cookbook/images/`.
"""

import argparse
import asyncio
import gc
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from tqdm import tqdm

from tests.faults.clients import CLIENTS, made
from tests.faults.load_server import running, seen
from tests.faults.plots import plot_soak
from tests.pages import replace_section

__all__ = ["Sample", "Soak", "soak"]

TEXT = "word " * 4
MEGABYTE = 1024 * 1024
MOST_GROWTH = 1.0
"""Megabytes in 10,000 streams."""
RESULTS = Path("bench-results")
COOKBOOK = Path(__file__).parents[2] / "cookbook"


@dataclass(frozen=True)
class Sample:
    """The client's process at one time.

    Attributes:
        streams: How many streams have ended.
        memory: Resident memory, in MB.
        descriptors: Open file descriptors.
        tasks: Tasks of the event loop.
    """

    streams: int
    memory: float
    descriptors: int
    tasks: int


@dataclass
class Soak:
    """What a soak showed.

    Attributes:
        streams: How many streams there were.
        concurrency: How many at once.
        wrong: How many gave another text than the server sent, or failed.
        seconds: How long it took.
        samples: Measured every hundredth of the streams.
        left: Descriptors and tasks more than before, when all was over.
        orphans: Connections that the server still had open then.
    """

    streams: int
    concurrency: int
    wrong: int = 0
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    left: tuple[int, int] = (0, 0)
    orphans: int = 0

    @property
    def growth(self) -> float:
        """Megabytes in 10,000 streams after the first tenth, by least squares."""
        late = [sample for sample in self.samples if sample.streams >= self.streams / 10]
        mean_x = sum(sample.streams for sample in late) / len(late)
        mean_y = sum(sample.memory for sample in late) / len(late)
        over = sum((sample.streams - mean_x) * (sample.memory - mean_y) for sample in late)
        return 10_000 * over / sum((sample.streams - mean_x) ** 2 for sample in late)

    def table(self) -> str:
        """Write the figures as a table."""
        late = [sample for sample in self.samples if sample.streams >= self.streams / 10]
        first, last = late[0], late[-1]
        rows = {
            "streams, at once": f"{self.streams:,}, {self.concurrency}",
            "wrong or failed": str(self.wrong),
            "memory after a tenth, at the end": f"{first.memory:.1f} MB, {last.memory:.1f} MB",
            "growth in 10,000 streams": f"{self.growth:.2f} MB",
            "most descriptors, tasks after a tenth": f"{max(s.descriptors for s in late)}, {max(s.tasks for s in late)}",
            "descriptors, tasks, connections left at the end": f"{self.left[0]}, {self.left[1]}, {self.orphans}",
        }
        return "\n".join(["| soak | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


async def _soak(url: str, result: Soak, kind: str) -> None:
    process = psutil.Process()
    before = process.num_fds(), len(asyncio.all_tasks())
    asker = made(kind, url, api_key="sk-soak")
    numbers = iter(range(result.streams))
    every = max(1, result.streams // 100)
    done = 0
    with tqdm(total=result.streams, unit="stream", mininterval=1) as bar:

        async def work() -> None:
            nonlocal done
            for _ in numbers:
                result.wrong += asker.joined([piece async for piece in asker.astream("r0")]).text != TEXT
                done += 1
                bar.update()
                if done % every == 0:
                    memory = process.memory_info().rss / MEGABYTE
                    result.samples.append(Sample(done, memory, process.num_fds(), len(asyncio.all_tasks())))

        await asyncio.gather(*(work() for _ in range(result.concurrency)))
    await asker.aclose()
    await asyncio.sleep(0.1)
    gc.collect()
    result.left = process.num_fds() - before[0], len(asyncio.all_tasks()) - before[1]


def soak(streams: int, concurrency: int, kind: str = "core") -> Soak:
    """Run the streams through one of the clients and measure."""
    result = Soak(streams, concurrency)
    with running() as url:
        started = time.monotonic()
        asyncio.run(_soak(url, result, kind))
        result.seconds = time.monotonic() - started
        result.orphans = seen(url)["open"]
    return result


def main() -> int:
    """Run, print, plot, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--client", choices=[*CLIENTS], default="core")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--write", action="store_true", help="write cookbook/reliability.md and its image")
    args = parser.parse_args()
    result = soak(args.streams, args.concurrency, args.client)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.json").write_text(json.dumps({**asdict(result), "growth": result.growth}, indent=1))
    plot_soak(result, RESULTS / "soak.png")
    if args.write:
        plot_soak(result, COOKBOOK / "images" / "soak.png")
        replace_section(COOKBOOK / "reliability.md", "soak", result.table())
    print(result.table())
    print(f"{result.seconds:.0f} s")
    whole = not result.wrong and result.left == (0, 0) and not result.orphans
    return 0 if whole and result.growth < MOST_GROWTH else 1


if __name__ == "__main__":
    raise SystemExit(main())
