"""The way to the server: refused, cut, silent, encrypted, or through a proxy."""

import ssl
from collections.abc import Sequence
from typing import TypedDict

import trustme
from vllm_connect import ConfigurationError, ConnectionFailedError, RequestTimeoutError

from tests.faults.fault import CANARY, Fault, Wants
from tests.faults.replies import piece, whole
from tests.faults.server import Script, answer, close, head, read_some, reset, send, stall, stream

__all__ = ["FAULTS", "FINE", "FINE_STREAM", "both", "then_fine"]


class Both(TypedDict):
    """The scripts of both modes."""

    stream: Sequence[Script]
    unary: Sequence[Script]


FINE = answer(whole("Hi"))
FINE_STREAM = stream(piece(content="Hi"), piece("stop"))


def both(*scripts: Script) -> Both:
    """Do the same whether a stream is asked for or not."""
    return {"stream": scripts, "unary": scripts}


def then_fine(*scripts: Script) -> Both:
    """Do this first, and then answer."""
    return {"stream": [*scripts, FINE_STREAM], "unary": [*scripts, FINE]}


def certified(host: str) -> ssl.SSLContext:
    """Speak TLS as a host that an authority vouches for which nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(host).configure_cert(context)
    return context


NEVER_LEFT = Wants(ConnectionFailedError, {"code": "tls"}, requests=0, tries=1)
PROXIED = {"HTTPS_PROXY": f"http://user:{CANARY}@127.0.0.1:{{port}}"}
OPEN = {"api_key": "", "proxy": None}

FAULTS = (
    Fault(
        "F01",
        "connection refused, three tries",
        Wants(ConnectionFailedError, says=r"127\.0\.0\.1:1 ", requests=0, tries=3),
        **both(FINE),
        url="http://127.0.0.1:1",
        settings={"max_retries": 2},
    ),
    Fault(
        "F02",
        "a name that does not exist, looked up twice",
        Wants(ConnectionFailedError, {"code": "dns"}, says=r"no-such-host\.invalid", requests=0, tries=2),
        **both(FINE),
        url="https://no-such-host.invalid",
        settings={"max_retries": 2, "proxy": None},
        seconds=10,
    ),
    Fault(
        "F03",
        "a host that never answers, two tries",
        Wants(RequestTimeoutError, {"phase": "connect"}, says=r"127\.0\.0\.1:\d+ within 0\.2 s", requests=0, tries=2),
        **both(FINE),
        settings={"timeout": {"connect": 0.2}, "max_retries": 1},
        seconds=1,
        deaf=True,
    ),
    Fault(
        "F04a",
        "TLS to a port that speaks none",
        NEVER_LEFT,
        **both(FINE),
        url="https://127.0.0.1:{port}",
        settings={"max_retries": 2},
        greeting=[read_some, send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), close],
    ),
    Fault(
        "F04b",
        "a certificate of an authority that nobody knows",
        NEVER_LEFT,
        **both(FINE),
        settings={"max_retries": 2},
        tls=certified("127.0.0.1"),
    ),
    Fault(
        "F05a",
        "an address without a scheme",
        Wants(ConfigurationError, says="write http://gpu-1:8000", early=True, requests=0),
        **both(FINE),
        url="gpu-1:8000",
    ),
    Fault(
        "F05b",
        "a user name and a password in the address",
        Wants(text="Hi", sent={"authorization": "Basic dXNlcjpzay1jYW5hcnktN2QxZg=="}),
        **then_fine(),
        url=f"http://user:{CANARY}@127.0.0.1:{{port}}",
        settings=OPEN,
    ),
    Fault(
        "F05c",
        "the address of an endpoint",
        Wants(text="Hi", sent={"target": "/v1/chat/completions"}),
        **then_fine(),
        url="http://127.0.0.1:{port}/v1/chat/completions/",
    ),
    Fault(
        "F06a",
        "broken off before the headers, once",
        Wants(text="Hi", requests=2),
        **then_fine([reset]),
        settings={"max_retries": 1},
    ),
    Fault(
        "F06b",
        "ended before the headers, three times",
        Wants(ConnectionFailedError, requests=3),
        **both([close]),
        settings={"max_retries": 2},
    ),
    Fault(
        "F09a",
        "the headers never come, and a late answer is not asked for again",
        Wants(RequestTimeoutError, {"phase": "first_token"}),
        **both([stall]),
        settings={"timeout": {"first_token": 0.2}, "max_retries": 2},
        seconds=1,
    ),
    Fault(
        "F09b",
        "the whole call has a deadline, retries included",
        Wants(RequestTimeoutError, {"phase": "total"}),
        **both([send(b"HTTP/1.1 200 OK\r\n"), stall]),
        settings={"timeout": {"total": 0.3}, "max_retries": 2},
        seconds=1,
    ),
    Fault(
        "F12a",
        "a proxy in the environment, and a server on this machine",
        Wants(text="Hi", sent={"target": "/v1/chat/completions"}),
        **then_fine(),
        environment={"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"},
    ),
    Fault(
        "F12b",
        "a proxy in the environment, and a server elsewhere",
        Wants(text="Hi", sent={"target": "http://gpu-{port}.test/v1/chat/completions"}),
        **then_fine(),
        url="http://gpu-{port}.test/v1",
        settings=OPEN,
        environment={"HTTP_PROXY": "http://127.0.0.1:{port}"},
    ),
    Fault(
        "F13a",
        "a proxy that wants a password, and gets the wrong one",
        Wants(ConnectionFailedError, {"code": "proxy"}, says="proxy_auth", sent={"authorization": None}),
        **both([send(head("407 Proxy Authentication Required", {"content-length": "0"})), close]),
        url="https://gpu-{port}.test",
        settings={"max_retries": 2, "proxy": None},
        environment=PROXIED,
    ),
    Fault(
        "F13b",
        "a proxy that breaks off, three times",
        Wants(ConnectionFailedError, {"code": "proxy"}, requests=3),
        **both([reset]),
        url="https://gpu-{port}.test",
        settings={"max_retries": 2, "proxy": None},
        environment=PROXIED,
    ),
    Fault(
        "F117a",
        "a key that ends in a newline, as files have it",
        Wants(text="Hi", sent={"authorization": f"Bearer {CANARY}"}),
        **then_fine(),
        settings={"api_key": f" {CANARY}\n"},
    ),
    *(
        Fault(
            number,
            title,
            Wants(ConfigurationError, says="not shown", early=True, requests=0),
            **both(FINE),
            settings={"api_key": key},
        )
        for number, title, key in (
            ("F117b", "a key of two lines", f"{CANARY}\nx"),
            ("F118", "a key that is no ASCII", f"{CANARY}-ключ"),
        )
    ),
)
