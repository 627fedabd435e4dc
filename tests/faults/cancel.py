"""Sixty of a hundred requests cancelled, with four callers for each connection: the pool stays whole.

`make cancel` runs 50,000 requests over a pool of 10, cancels 60 % of them while they wait for a connection, for the
headers or for the next words, and then asks ten times more. `--write` puts the figures into `cookbook/reliability.md`
and the plot into `cookbook/images/`.
"""

import argparse
import asyncio
import gc
import json
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from tqdm import tqdm

from tests.faults.clients import CLIENTS, made
from tests.faults.load_server import running, seen
from tests.faults.plots import plot_cancel
from tests.pages import replace_section

__all__ = ["Storm", "storm"]

TEXT = "word " * 4
SHARE = 0.6
AFTERWARDS = 10
LONGEST = 0.06
"""Seconds after which a request is cancelled, at most."""
MOST_LAG = 0.25
"""Seconds from a cancellation to the server's notice, for 99 of 100."""
RESULTS = Path("bench-results")
COOKBOOK = Path(__file__).parents[2] / "cookbook"


@dataclass
class Storm:
    """What a storm of cancellations showed.

    Attributes:
        requests: How many requests there were.
        pool: How many connections there may be.
        callers: How many requests at once.
        cancelled: How many were cancelled.
        answered: How many were answered, and rightly.
        wrong: How many failed, or were answered wrongly.
        afterwards: How many of ten later requests were answered at once.
        orphans: Streams that the server was still writing after all was over.
        most_open: Connections that the server had open then.
        left: Descriptors and tasks more than before.
        lags: Seconds from a cancellation until the server saw it, sorted; of streams that had begun.
        seconds: How long it took.
    """

    requests: int
    pool: int
    callers: int
    cancelled: int = 0
    answered: int = 0
    wrong: int = 0
    afterwards: int = 0
    orphans: int = 0
    most_open: int = 0
    left: tuple[int, int] = (0, 0)
    lags: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def lag(self, share: float) -> float:
        """Give the seconds within which a share of the cancellations reached the server."""
        return self.lags[min(int(share * len(self.lags)), len(self.lags) - 1)]

    def table(self) -> str:
        """Write the figures as a table."""
        rows = {
            "requests, callers, connections": f"{self.requests:,}, {self.callers}, {self.pool}",
            "cancelled": f"{self.cancelled:,}",
            "answered rightly": f"{self.answered:,}",
            "wrong or failed": str(self.wrong),
            f"answered of {AFTERWARDS} afterwards": str(self.afterwards),
            "streams still written, connections open afterwards": f"{self.orphans}, {self.most_open}",
            "descriptors, tasks left": f"{self.left[0]}, {self.left[1]}",
            f"cancelled while streaming ({len(self.lags):,}): hang-up seen after, median, p99": (
                f"{1000 * self.lag(0.5):.1f} ms, {1000 * self.lag(0.99):.1f} ms"
            ),
        }
        return "\n".join(["| cancel | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])


async def _storm(url: str, result: Storm, kind: str, seed: int) -> dict[str, float]:
    chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
    process = psutil.Process()
    before = process.num_fds(), len(asyncio.all_tasks())
    numbers = iter(range(result.requests))
    left_at: dict[str, float] = {}
    asker = made(kind, url, max_connections=result.pool)

    async def ask(prompt: str) -> str:
        return asker.joined([piece async for piece in asker.astream(prompt)]).text

    async def leave(number: int) -> None:
        task = asyncio.ensure_future(ask(f"hold r{number}"))
        await asyncio.sleep(chance.uniform(0, LONGEST))
        left_at[f"r{number}"] = time.monotonic()
        task.cancel()
        try:
            await task
            result.wrong += 1
        except asyncio.CancelledError:
            result.cancelled += 1

    async def work() -> None:
        for number in numbers:
            if chance.random() < SHARE:
                await leave(number)
            else:
                right = await ask(f"r{number}") == TEXT
                result.answered += right
                result.wrong += not right
            bar.update()

    with tqdm(total=result.requests, unit="request", mininterval=1) as bar:
        await asyncio.gather(*(work() for _ in range(result.callers)))
        after = await asyncio.gather(*(asyncio.wait_for(ask("r"), 10) for _ in range(AFTERWARDS)))
        result.afterwards = after.count(TEXT)
        told = await asyncio.to_thread(seen, url)
        result.orphans, result.most_open = told["writing"], told["open"]
        await asker.aclose()
    await asyncio.sleep(0.1)
    gc.collect()
    left = len(asyncio.all_tasks()) - before[1]
    await asyncio.get_running_loop().shutdown_default_executor()
    result.left = process.num_fds() - before[0], left
    return left_at


def storm(requests: int, kind: str = "core", *, pool: int = 10, contention: int = 4, seed: int = 1) -> Storm:
    """Run the requests through one of the clients and measure."""
    result = Storm(requests, pool, pool * contention)
    with running() as url:
        started = time.monotonic()
        left_at = asyncio.run(_storm(url, result, kind, seed))
        result.seconds = time.monotonic() - started
        noticed: dict[str, float] = seen(url)["left"]
    result.lags = sorted(at - left_at[name] for name, at in noticed.items())
    return result


def main() -> int:
    """Run, print, plot, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--client", choices=[*CLIENTS], default="core")
    parser.add_argument("--pool", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write cookbook/reliability.md and its image")
    args = parser.parse_args()
    result = storm(args.requests, args.client, pool=args.pool, seed=args.seed)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cancel.json").write_text(json.dumps(asdict(result)))
    plot_cancel(result, RESULTS / "cancel.png")
    if args.write:
        plot_cancel(result, COOKBOOK / "images" / "cancel.png")
        replace_section(COOKBOOK / "reliability.md", "cancel", result.table())
    print(result.table())
    print(f"{result.seconds:.0f} s")
    whole = not (result.wrong or result.orphans or any(result.left)) and result.most_open <= result.pool
    return 0 if whole and result.afterwards == AFTERWARDS and result.lag(0.99) < MOST_LAG else 1


if __name__ == "__main__":
    raise SystemExit(main())
