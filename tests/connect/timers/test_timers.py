"""The timers of a call, with a clock of our own."""

import math

from vllm_connect.config import Timeouts
from vllm_connect.timers import Timers

LIMITS = Timeouts(first_token=100, stall=10, total=None)


def test_first_data_then_stall() -> None:
    timers = Timers(LIMITS, 1000)
    assert timers.deadline() == (1100, "first_token")
    timers.headers(1050, streaming=True)
    assert timers.deadline() == (1100, "first_token")
    timers.progress(1060)
    assert timers.deadline() == (1070, "stall")
    timers.progress(1069)
    assert timers.deadline() == (1079, "stall")


def test_what_is_no_stream_must_follow_its_headers() -> None:
    timers = Timers(LIMITS, 1000)
    timers.headers(1090)
    assert timers.deadline() == (1100, "body")


def test_total_goes_on_over_attempts() -> None:
    timers = Timers(Timeouts(first_token=100, stall=10, total=150), 1000)
    assert timers.deadline() == (1100, "first_token")
    timers.attempt(1090)
    assert timers.deadline() == (1150, "total")
    assert timers.left(1140) == 10
    timers.progress(1145)
    assert timers.deadline() == (1150, "total")


def test_no_limits() -> None:
    timers = Timers(Timeouts(first_token=None, stall=None), 1000)
    assert timers.deadline()[0] == math.inf
    timers.progress(2000)
    assert timers.deadline() == (math.inf, "stall")
    assert timers.left(2000) == math.inf
