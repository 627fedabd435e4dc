"""The deadlines of a call, with a clock of our own."""

import math

import pytest
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


@pytest.mark.parametrize(("phase", "seconds"), [("pool", 20), ("connect", 5), ("write", 30)])
def test_each_phase_before_the_request_is_sent_has_its_own_limit(phase: str, seconds: float) -> None:
    deadlines = Deadlines(Timeouts(pool=20), 1000)
    deadlines.enter_phase(phase, 1500)
    assert deadlines.next_deadline() == (1500 + seconds, phase)
    deadlines.start_attempt(1600)
    assert deadlines.next_deadline() == (2200, "first_token")


def test_the_total_ends_every_phase_and_is_named() -> None:
    deadlines = Deadlines(Timeouts(total=3), 1000)
    for phase in ("pool", "connect", "write"):
        deadlines.enter_phase(phase, 1001)
        assert deadlines.next_deadline() == (1003, "total")
    deadlines.enter_phase("connect", 990)
    assert deadlines.next_deadline() == (995, "connect")


# A process that is late itself


def test_a_wait_ends_at_its_deadline() -> None:
    deadlines = Deadlines(LIMITS, 1000)
    assert deadlines.end_of_wait(1000) == deadlines.end_of_wait(1099.9) == 1100
    assert deadlines.end_of_wait(1100.01) == 1100
    assert deadlines.end_of_wait(1105) == 1100, "it was noticed in time before"


def test_a_deadline_that_is_noticed_late_is_extended_once() -> None:
    deadlines = Deadlines(LIMITS, 1000)
    assert deadlines.end_of_wait(1106) == 1107
    assert deadlines.end_of_wait(1106.5) == 1107
    assert deadlines.end_of_wait(1110) == 1107


def test_the_next_deadline_may_be_extended_again() -> None:
    deadlines = Deadlines(LIMITS, 1000)
    assert deadlines.end_of_wait(1106) == 1107
    deadlines.progress(1106)
    assert deadlines.end_of_wait(1106) == 1116
    assert deadlines.end_of_wait(1120) == 1121


def test_a_wait_without_a_limit_never_ends() -> None:
    deadlines = Deadlines(Timeouts(first_token=None, stall=None), 1000)
    assert deadlines.end_of_wait(10**9) == math.inf


def test_a_call_waits_for_a_connection_as_long_as_for_its_first_data() -> None:
    assert Timeouts().pool == Timeouts().first_token == 600
    assert Timeouts(first_token=7).pool == 7
    assert Timeouts(first_token=None).pool is None
    assert Timeouts(first_token=7, pool=3).pool == 3
    assert Timeouts.of(60).pool == 60
    assert Timeouts.of(1000).pool == 1000
