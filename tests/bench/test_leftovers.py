"""What is left of a call when it is over: nothing that waits for the garbage collector, and no timer but one on the way."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.bench import ours_langchain, ours_llamaindex
from tests.bench.processes import Server
from tests.bench.workloads import Kind, Workload

OURS = ("vllm_connect", "langchain_vllm", "llama_index_vllm")
SUBJECTS: dict[str, Callable[[], Any]] = {"langchain": ours_langchain.Ours, "llamaindex": ours_llamaindex.Ours}
TIMES = 5


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with Server() as running:
        yield running.base


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())  # which closes the connections
    made.close()


def left(run: Callable[[], object]) -> list[str]:
    """Name our objects that only the garbage collector lets go."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        run()
        gc.collect()
        return [type(found).__qualname__ for found in gc.garbage if type(found).__module__.startswith(OURS)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def asking(subject: Any, url: str, way: str, kind: Kind, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Prepare to ask some times in one way."""

    async def asked() -> None:
        for _ in range(TIMES):
            if way == "acall":
                await subject.acall(url, 1)
            else:
                async for _ in await subject.astream(url, kind == "tool"):
                    pass

    def ask() -> None:
        for _ in range(TIMES):
            if way == "call":
                subject.call(url)
            else:
                list(subject.stream(url, kind == "tool"))

    if way in ("call", "stream"):
        return ask
    return lambda: loop.run_until_complete(asked())


@pytest.mark.parametrize(
    ("way", "kind"),
    [("call", "unary"), ("acall", "unary")]
    + [(way, kind) for way in ("stream", "astream") for kind in ("text", "reasoning", "tool")],
)
@pytest.mark.parametrize("adapter", SUBJECTS)
def test_nothing_of_a_call_waits_for_the_garbage_collector(
    server: str, adapter: str, way: str, kind: Kind, loop: asyncio.AbstractEventLoop
) -> None:
    ask = asking(SUBJECTS[adapter](), server + Workload(kind, 20).path(), way, kind, loop)
    ask()
    assert left(ask) == []


def test_the_garbage_collector_would_show_it() -> None:
    class Cycle:
        """Holds itself."""

        def __init__(self) -> None:
            self.itself = self

    Cycle.__module__ = OURS[0]
    assert left(Cycle) == ["test_the_garbage_collector_would_show_it.<locals>.Cycle"]


def test_a_call_sets_one_timer(server: str, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    subject, url = ours_langchain.Ours(), server + Workload("unary", 20).path()
    loop.run_until_complete(subject.acall(url, 1))
    deadlines: list[float] = []
    call_later = loop.call_later

    def counted(delay: float, *callback: Any) -> asyncio.TimerHandle:
        deadlines.append(delay)
        return call_later(delay, *callback)

    monkeypatch.setattr(loop, "call_later", counted)
    loop.run_until_complete(subject.acall(url, 1))
    assert len(deadlines) == 1
