"""Very many calls at once: none is lost, none gets another's answer, none is sent twice.

`make load` runs 5,000 streams at once, 20,000 calls of one `abatch` and 200 threads of blocking calls, with the retries of
the defaults, against a server in another process, which repeats a word of each prompt and counts the requests. It fails
where an answer is missing or wrong, where a prompt was sent twice, or where descriptors are left; `--write` puts the table
into `cookbook/reliability.md`.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from langchain_vllm import ChatVllm
from llama_index_vllm import VllmLLM
from tqdm import tqdm
from vllm_connect import VllmConfig

from tests.faults.clients import Asker, made
from tests.faults.load_server import WORDS, running, seen
from tests.pages import replace_section

__all__ = ["Load", "abatch", "achat", "streams", "table", "threads"]

MEGABYTE = 1024 * 1024
RETRIES = VllmConfig.model_fields["max_retries"].get_default(call_default_factory=True)
COOKBOOK = Path(__file__).parents[2] / "cookbook"


@dataclass(frozen=True)
class Load:
    """What many calls at once showed.

    Attributes:
        name: What was called, and how.
        calls: How many calls there were.
        lost: How many raised an error.
        crossed: How many gave another text than their own.
        doubled: How many prompts the server got more than once.
        most_open: The most connections that the server had at once.
        descriptors: The most that the client's process had open.
        left: Descriptors more than before, when all was over.
        memory: How much memory the calls took at most, in MB, beyond that before them.
        seconds: How long it took.
    """

    name: str
    calls: int
    lost: int
    crossed: int
    doubled: int
    most_open: int
    descriptors: int
    left: int
    memory: float
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether every call had its own answer once, and nothing is left."""
        return not (self.lost or self.crossed or self.doubled or self.left)


class _Count:
    """Counts answers, and watches the process."""

    def __init__(self, calls: int) -> None:
        self.process = psutil.Process()
        self.before = self.process.num_fds(), self.process.memory_info().rss
        self.descriptors, self.memory = self.before
        self.crossed = self.lost = self.ended = 0
        self.every = max(1, calls // 50)
        self.bar = tqdm(total=calls, unit="call", mininterval=1)

    def add(self, number: int, text: str | BaseException) -> None:
        """Count the answer to a prompt."""
        if isinstance(text, BaseException):
            self.lost += 1
        else:
            self.crossed += text != f"r{number} " * WORDS
        self.ended += 1
        self.bar.update()
        if self.ended % self.every == 1 or self.every == 1:
            self.sample()

    def sample(self) -> None:
        """Look at the process."""
        self.descriptors = max(self.descriptors, self.process.num_fds())
        self.memory = max(self.memory, self.process.memory_info().rss)

    def load(self, name: str, calls: int, url: str, seconds: float) -> Load:
        """Build the result, when the client is closed."""
        self.bar.close()
        gc.collect()
        server = seen(url)
        return Load(
            name=name,
            calls=calls,
            lost=self.lost,
            crossed=self.crossed,
            doubled=len(server["repeated"]),
            most_open=server["most_open"],
            descriptors=self.descriptors,
            left=self.process.num_fds() - self.before[0],
            memory=(self.memory - self.before[1]) / MEGABYTE,
            seconds=seconds,
        )


def streams(kind: str, calls: int) -> Load:
    """Run as many streams as there are calls, all at once."""

    async def one(asker: Asker, number: int, count: _Count) -> None:
        try:
            pieces = [piece async for piece in asker.astream(f"echo r{number}")]
            count.add(number, asker.joined(pieces).text)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call is lost
            count.add(number, error)

    async def run(url: str, count: _Count) -> None:
        asker = made(kind, url, max_retries=RETRIES, max_connections=calls)
        await asyncio.gather(*(one(asker, number, count) for number in range(calls)))
        await asker.aclose()
        await asyncio.sleep(0.1)

    return _measured(f"{kind}: streams at once", calls, lambda url, count: asyncio.run(run(url, count)))


def abatch(calls: int) -> Load:
    """Run one `abatch` of ChatVllm with its defaults."""

    async def run(url: str, count: _Count) -> None:
        async with ChatVllm(base_url=url, model="demo") as model:
            prompts: list[Any] = [f"echo r{number}" for number in range(calls)]
            async for number, answer in model.abatch_as_completed(prompts, return_exceptions=True):
                count.add(number, answer if isinstance(answer, BaseException) else answer.text)

    return _measured("langchain: calls of one abatch", calls, lambda url, count: asyncio.run(run(url, count)))


def achat(calls: int) -> Load:
    """Run calls of VllmLLM with its defaults, all at once."""

    async def run(url: str, count: _Count) -> None:
        async with VllmLLM(base_url=url, model="demo") as model:
            await asyncio.gather(*(_acomplete(model, number, count) for number in range(calls)))

    return _measured("llamaindex: calls at once", calls, lambda url, count: asyncio.run(run(url, count)))


async def _acomplete(model: VllmLLM, number: int, count: _Count) -> None:
    try:
        count.add(number, (await model.acomplete(f"echo r{number}")).text)
    except Exception as error:  # noqa: BLE001 - whatever it is, the call is lost
        count.add(number, error)


def threads(kind: str, workers: int, each: int) -> Load:
    """Run blocking calls in as many threads, half of them streamed."""

    def run(url: str, count: _Count) -> None:
        asker = made(kind, url, max_retries=RETRIES, max_connections=workers)

        def one(number: int) -> str | BaseException:
            try:
                if number % 2:
                    return asker.ask(f"echo r{number}").text
                return asker.joined(list(asker.stream(f"echo r{number}"))).text
            except Exception as error:  # noqa: BLE001 - whatever it is, the call is lost
                return error

        with ThreadPoolExecutor(workers) as pool:
            for number, text in enumerate(pool.map(one, range(workers * each))):
                count.add(number, text)
        asker.close()

    return _measured(f"{kind}: blocking calls of {workers} threads", workers * each, run)


def _measured(name: str, calls: int, run: Callable[[str, _Count], None]) -> Load:
    gc.collect()
    with running() as url:
        count = _Count(calls)
        started = time.monotonic()
        run(url, count)
        return count.load(name, calls, url, time.monotonic() - started)


def table(loads: list[Load]) -> str:
    """Write the results as a table."""
    rows = [
        "| calls | number | lost | crossed | doubled | connections at once | descriptors, left | memory at most | time |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| {load.name} | {load.calls:,} | {load.lost} | {load.crossed} | {load.doubled} | {load.most_open:,} "
        f"| {load.descriptors:,}, {load.left} | +{load.memory:.0f} MB | {load.seconds:.0f} s |"
        for load in loads
    ]
    return "\n".join(rows)


def main() -> int:
    """Run, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=5_000)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="write cookbook/reliability.md")
    args = parser.parse_args()
    loads = [
        *(streams(kind, args.streams) for kind in ("core", "langchain", "llamaindex")),
        abatch(args.calls),
        achat(args.calls),
        *(threads(kind, args.threads, 25) for kind in ("core", "langchain", "llamaindex")),
    ]
    if args.write:
        replace_section(COOKBOOK / "reliability.md", "load", table(loads))
    print(table(loads))
    return 0 if all(load.whole for load in loads) else 1


if __name__ == "__main__":
    raise SystemExit(main())
