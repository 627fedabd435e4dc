"""The timer of a call in an event loop, with a loop and a clock of our own."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from vllm_connect.config.config import Timeouts
from vllm_connect.errors import RequestTimeoutError
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.loop_pool import DeadlineTimer, within


class Handle:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A loop in which time passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.handles: list[Handle] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Handle:
        assert delay >= 0
        handle = Handle(self.now + delay, callback)
        self.handles.append(handle)
        return handle

    def run_until(self, when: float) -> None:
        """Call what is due, each at its time."""
        while due := [handle for handle in self.handles if handle.when <= when]:
            first = min(due, key=lambda handle: handle.when)
            self.handles.remove(first)
            self.now = max(self.now, first.when)
            if not first.cancelled:
                first.callback()
        self.now = when

    def block(self, seconds: float) -> None:
        """Let time pass in which the loop calls nothing."""
        self.now += seconds


def started(loop: Loop, limits: Timeouts) -> tuple[DeadlineTimer, Deadlines, list[tuple[float, str]]]:
    """Start a timer; give what it tells, and when."""
    told: list[tuple[float, str]] = []
    any_loop: Any = loop
    timer = DeadlineTimer(any_loop, lambda: loop.now)
    deadlines = Deadlines(limits, loop.now)
    timer.start(deadlines, lambda phase: told.append((loop.now, phase)))
    return timer, deadlines, told


def test_the_phase_that_took_too_long_is_told_at_its_deadline() -> None:
    loop = Loop()
    _, _, told = started(loop, Timeouts(first_token=100, stall=10))
    loop.run_until(2000)
    assert told == [(1100, "first_token")]


def test_the_total_timeout_is_named() -> None:
    loop = Loop()
    _, deadlines, told = started(loop, Timeouts(first_token=100, stall=10, total=50))
    loop.run_until(1045)
    deadlines.progress(1045)
    loop.run_until(2000)
    assert told == [(1050, "total")]


def test_progress_moves_the_deadline_without_another_timer() -> None:
    loop = Loop()
    _, deadlines, told = started(loop, Timeouts(first_token=100, stall=10))
    for now in range(1001, 1500):
        loop.run_until(now)
        deadlines.progress(now)
        assert len(loop.handles) <= 1
    assert told == []
    loop.run_until(2000)
    assert told == [(1509, "stall")]


def test_a_later_phase_has_its_timeout() -> None:
    loop = Loop()
    timer, deadlines, told = started(loop, Timeouts(first_token=100, stall=None))
    loop.run_until(1050)
    deadlines.enter_phase("connect", 1050)
    timer.start(deadlines, lambda phase: told.append((loop.now, phase)))
    loop.run_until(2000)
    assert told == [(1055, "connect")]


def test_a_phase_that_follows_a_shorter_one_has_its_whole_time() -> None:
    loop = Loop()
    timer, deadlines, told = started(loop, Timeouts(first_token=100, stall=10))
    deadlines.enter_phase("connect", 1000)
    timer.start(deadlines, lambda phase: told.append((loop.now, phase)))
    loop.run_until(1003)
    deadlines.start_attempt(1003)
    timer.start(deadlines, lambda phase: told.append((loop.now, phase)))
    loop.run_until(2000)
    assert told == [(1103, "first_token")]


def test_what_arrives_while_the_loop_is_blocked_counts() -> None:
    loop = Loop()
    _, deadlines, told = started(loop, Timeouts(first_token=5, stall=5))
    loop.block(11)
    loop.run_until(loop.now)
    assert told == [], "the loop reads what has arrived after its timers"
    deadlines.progress(loop.now)
    loop.run_until(1015)
    assert told == []
    loop.run_until(2000)
    assert told == [(1016, "stall")]


def test_nothing_that_arrives_while_the_loop_is_blocked_is_a_timeout_all_the_same() -> None:
    loop = Loop()
    _, _, told = started(loop, Timeouts(first_token=5, stall=5))
    loop.block(11)
    loop.run_until(2000)
    assert told == [(1012, "first_token")]


def test_a_timer_that_was_stopped_tells_nothing() -> None:
    loop = Loop()
    timer, _, told = started(loop, Timeouts(first_token=5))
    timer.stop()
    loop.run_until(2000)
    assert (told, loop.handles) == ([], [])


def test_no_timer_is_set_without_limits() -> None:
    loop = Loop()
    _, deadlines, _ = started(loop, Timeouts(first_token=None, stall=None))
    assert (loop.handles, deadlines.next_deadline()[0]) == ([], math.inf)


class Lagging:
    """A call whose deadline has passed while the loop was blocked."""

    def __init__(self) -> None:
        self.deadlines = Deadlines(Timeouts(connect=0.001), time.monotonic() - 60)
        self.deadlines.enter_phase("connect", time.monotonic() - 60)

    def timed_out(self, phase: str) -> RequestTimeoutError:
        return RequestTimeoutError(f"too long: {phase}")


async def _connected(turns: int) -> str:
    for _ in range(turns):
        await asyncio.sleep(0)
    return "connected"


@pytest.mark.parametrize("turns", [0, 1, 8])
async def test_what_a_lagging_loop_has_still_to_handle_counts(turns: int) -> None:
    call: Any = Lagging()
    assert await within(call, asyncio.ensure_future(_connected(turns))) == "connected"


async def test_what_has_not_come_when_the_loop_has_caught_up_is_too_late() -> None:
    call: Any = Lagging()
    never = asyncio.get_running_loop().create_future()
    with pytest.raises(RequestTimeoutError, match="too long: connect"):
        await within(call, never)
