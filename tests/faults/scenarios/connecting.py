"""The way to the server: refused, cut, silent, redirected."""

import socket
from collections.abc import Sequence
from typing import TypedDict

from vllm_connect import ConfigurationError, ConnectionFailedError, RequestTimeoutError

from tests.faults.fault import Fault, Wants
from tests.faults.replies import whole
from tests.faults.server import Script, answer, close, read_some, reset, send, stall

__all__ = ["FAULTS"]


def closed_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Both(TypedDict):
    """The scripts of both modes."""

    stream: Sequence[Script]
    unary: Sequence[Script]


def both(*scripts: Script) -> Both:
    """Do the same whether a stream is asked for or not."""
    return {"stream": scripts, "unary": scripts}


FINE = answer(whole("Hi"))
FAULTS = (
    Fault(
        "F01",
        "connection refused, three tries",
        Wants(ConnectionFailedError, requests=0),
        **both(FINE),
        url=f"http://127.0.0.1:{closed_port()}",
        settings={"max_retries": 2},
    ),
    Fault(
        "F02",
        "a name that does not exist",
        Wants(ConnectionFailedError, code="dns", requests=0),
        **both(FINE),
        url="https://no-such-host.invalid",
        seconds=10,
    ),
    Fault(
        "F04",
        "TLS to a port that speaks none",
        Wants(ConnectionFailedError, code="tls", requests=0),
        **both(FINE),
        url="https://127.0.0.1:{port}",
        greeting=[read_some, send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), close],
    ),
    Fault("F05", "an address without a scheme", Wants(ConfigurationError, requests=0), **both(FINE), url="ht!tp:/x"),
    Fault(
        "F06",
        "broken off before the headers, once",
        Wants(text="Hi", requests=2),
        **both([reset], FINE),
        settings={"max_retries": 1},
    ),
    Fault("F06b", "ended before the headers", Wants(ConnectionFailedError), **both([close])),
    Fault(
        "F09",
        "the headers never come",
        Wants(RequestTimeoutError, phase="first_token"),
        **both([stall]),
        settings={"timeout": {"first_token": 0.2}},
        seconds=1,
    ),
    Fault(
        "F09b",
        "a late answer is not asked for again",
        Wants(RequestTimeoutError, phase="first_token"),
        **both([stall]),
        settings={"timeout": {"first_token": 0.2}, "max_retries": 2},
        seconds=1,
    ),
    Fault(
        "F09c",
        "the whole call has a deadline, retries included",
        Wants(RequestTimeoutError, phase="total", requests=1),
        **both([send(b"HTTP/1.1 200 OK\r\n"), stall]),
        settings={"timeout": {"total": 0.3}, "max_retries": 2},
        seconds=1,
    ),
)
