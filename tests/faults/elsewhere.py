"""Faults that are no exchange of one request and its answer, and the tests that try them.

A process that forks, a pool that is full, a key in a pickle: each has a test of its own, which is named here so that the
table has every fault. One that nobody tries says so.
"""

from typing import NamedTuple

__all__ = ["ELSEWHERE", "Tried"]


class Tried(NamedTuple):
    """A fault that is tried elsewhere.

    Attributes:
        id: Its number.
        title: What happens.
        where: The test, `file::function`; empty where there is none.
        note: What is not tried.
    """

    id: str
    title: str
    where: str
    note: str = ""


CONNECTIONS = "tests/connect/transport/test_connections.py"
ROUTES = "tests/connect/transport/test_target.py"
CONFIG = "tests/connect/config/test_config.py"
LOOPS = "tests/faults/test_loops.py"
PROCESSES = "tests/faults/test_processes.py"
LEAVING = "tests/faults/test_leaving.py"
CANCELLING = "tests/faults/test_cancelling.py"
POOL = "tests/faults/test_pool.py"
CANARIES = "tests/faults/test_canaries.py"
ENDS = "tests/faults/test_ends.py"
HOSTILE = "tests/faults/test_hostile.py"
LIMITS = "tests/faults/test_limits.py"

ELSEWHERE: tuple[Tried, ...] = (
    Tried("F04c", "a certificate for another host", f"{ROUTES}::test_wrong_host"),
    Tried("F07", "the server closed the idle connection", f"{CONNECTIONS}::test_closed_while_waiting_costs_nothing"),
    Tried(
        "F08",
        "a server that closes what is idle, ten thousand calls",
        f"{POOL}::test_a_server_that_closes_what_is_idle",
    ),
    Tried("F10", "the pool is full", f"{POOL}::test_the_pool_is_full"),
    Tried("F67c", "others of the loop go on", f"{POOL}::test_a_stream_does_not_block_the_loop"),
    Tried("F11", "cancelled under contention", "tests/faults/test_load.py::test_many_cancellations"),
    Tried("F69d", "further answers", "tests/llamaindex/test_chat.py::test_further_answers_are_in_raw"),
    Tried("F98", "a megabyte of markers", "tests/connect/parsing/test_laws.py::test_time_is_linear"),
    Tried("F99", "text that would be run", "tests/rules/test_hostile_text.py::test_nothing_is_evaluated"),
    Tried("F100", "cancelled in the middle", f"{CANCELLING}::test_cancelling"),
    Tried("F101", "a stream that is closed", f"{LEAVING}::test_leaving"),
    Tried("F102", "a stream that is dropped", f"{LEAVING}::test_leaving_in_a_loop"),
    Tried("F103", "a stream that is left and still held", f"{POOL}::test_streams_that_nobody_reads"),
    Tried("F104", "cancelled while connecting or closing", f"{CANCELLING}::test_cancelling_the_close"),
    Tried("F105", "a timeout or a sibling cancels", f"{CANCELLING}::test_cancelling"),
    Tried("F106", "a hundred loops, one object", f"{LOOPS}::test_a_hundred_loops_one_after_the_other"),
    Tried("F107", "eight threads with loops", f"{LOOPS}::test_loops_in_eight_threads"),
    Tried("F108", "fork after use", f"{PROCESSES}::test_fork_after_use"),
    Tried("F109", "spawn, pickle, copies", f"{PROCESSES}::test_spawn_and_pickle"),
    Tried("F110", "a hundred threads", f"{LOOPS}::test_a_hundred_threads"),
    Tried("F111", "the end of the interpreter, with an open stream", f"{ENDS}::test_exit_with_open_streams"),
    Tried("F112", "a client of the caller's", f"{ENDS}::test_a_client_of_the_caller_is_never_closed"),
    Tried("F113a", "the consumer raises", f"{LEAVING}::test_leaving_in_a_loop"),
    Tried("F113b", "a callback of the framework raises", "tests/faults/test_callbacks.py::test_a_handler_raises"),
    Tried("F114", "a hundred thousand streams", "tests/faults/test_load.py::test_a_small_soak"),
    Tried("F115", "the key in what is shown or kept", f"{CANARIES}::test_no_secret_shows"),
    Tried("F116", "secrets in headers and addresses", f"{CANARIES}::test_no_secret_shows"),
    Tried("F120", "the key in an error's chain or pickle", f"{CANARIES}::test_no_secret_shows"),
    Tried("F121", "the key in traces", f"{CANARIES}::test_no_secret_shows"),
    Tried("F122a", "the key in a recording", f"{CANARIES}::test_a_recording_has_no_secret"),
    Tried(
        "F122b", "a secret in a recording that is kept", "tests/recording/test_cassettes.py::test_no_secret_is_recorded"
    ),
    Tried("F123", "media from a disk, a private host", f"{HOSTILE}::test_media_from_elsewhere_are_refused"),
    Tried("F124", "control tokens in a user's text", f"{HOSTILE}::test_control_tokens_pass_unchanged"),
    Tried("F127", "a key over http", f"{ROUTES}::test_key_over_plain_http_warns_once"),
)
