"""The deadlines of a call, with a clock of our own."""

import math

from vllm_connect.config.config import Timeouts
from vllm_connect.transport.deadlines import Deadlines

LIMITS = Timeouts(first_token=100, stall=10, total=None)


def test_first_data_then_stall() -> None:
    deadlines = Deadlines(LIMITS, 1000)
    assert deadlines.next_deadline() == (1100, "first_token")
    deadlines.headers_received(1050, streaming=True)
    assert deadlines.next_deadline() == (1100, "first_token")
    deadlines.progress(1060)
    assert deadlines.next_deadline() == (1070, "stall")
    deadlines.progress(1069)
    assert deadlines.next_deadline() == (1079, "stall")


def test_what_is_no_stream_must_follow_its_headers() -> None:
    deadlines = Deadlines(LIMITS, 1000)
    deadlines.headers_received(1090)
    assert deadlines.next_deadline() == (1100, "body")


def test_total_goes_on_over_attempts() -> None:
    deadlines = Deadlines(Timeouts(first_token=100, stall=10, total=150), 1000)
    assert deadlines.next_deadline() == (1100, "first_token")
    deadlines.start_attempt(1090)
    assert deadlines.next_deadline() == (1150, "total")
    assert deadlines.remaining(1140) == 10
    deadlines.progress(1145)
    assert deadlines.next_deadline() == (1150, "total")


def test_no_limits() -> None:
    deadlines = Deadlines(Timeouts(first_token=None, stall=None), 1000)
    assert deadlines.next_deadline()[0] == math.inf
    deadlines.progress(2000)
    assert deadlines.next_deadline() == (math.inf, "stall")
    assert deadlines.remaining(2000) == math.inf
