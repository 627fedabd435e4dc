"""Every error that a library below can raise has a name of ours."""

import inspect
import pickle
import socket
import ssl
import time
from collections.abc import Iterator
from types import ModuleType

import httpcore
import httpcore2
import httpx
import httpx2
import pytest
from vllm_connect.config.config import Timeouts, VllmConfig
from vllm_connect.errors import VllmError
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Call, kind_of
from vllm_connect.transport.http1 import MalformedResponseError
from vllm_connect.transport.target import Target

KINDS = {"dns", "tls", "proxy", "timeout", "cut", "protocol", "configuration"}
MODULES = (
    httpx,
    httpx2,
    httpcore,
    httpcore2,
    socket,
    ssl,
)


def errors_of(module: ModuleType) -> Iterator[type[Exception]]:
    for name, value in sorted(vars(module).items()):
        is_error = inspect.isclass(value) and issubclass(value, Exception) and not issubclass(value, Warning)
        if is_error and not name.startswith("_"):
            yield value


ALL = sorted({error for module in MODULES for error in errors_of(module)}, key=lambda e: (e.__module__, e.__name__))


def without_arguments(kind: type[Exception]) -> Exception:
    """Make an error without its own constructor, whose arguments differ."""
    plain: type[Exception] = type(kind.__name__, (kind,), {"__str__": lambda _: "", "__init__": lambda _: None})
    return plain()


@pytest.mark.parametrize("kind", ALL, ids=[f"{kind.__module__}.{kind.__name__}" for kind in ALL])
def test_every_error_has_a_kind(kind: type[Exception]) -> None:
    assert kind_of(without_arguments(kind)) in KINDS


def test_others_have_none() -> None:
    for error in (ValueError(), KeyError(), AssertionError(), KeyboardInterrupt()):
        assert kind_of(error) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "cut"),
        (httpx.RemoteProtocolError("peer closed connection without sending complete message body"), "cut"),
        (httpx.RemoteProtocolError("illegal header line"), "protocol"),
        (MalformedResponseError("its status is 99"), "protocol"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "tls"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "cut"),
        (socket.gaierror(-2, "Name or service not known"), "dns"),
        (TimeoutError("timed out"), "timeout"),
        (ConnectionRefusedError(111, "refused"), "cut"),
    ],
)
def test_kinds(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


def call(phase: str) -> Call:
    config = VllmConfig(base_url="http://127.0.0.1:8000", api_key="sk-canary-1", headers={"x": "header-canary"})
    made = Call(Target(config), Deadlines(Timeouts(), time.monotonic()), streaming=True)
    made.phase = phase
    return made


@pytest.mark.parametrize("phase", ["pool", "connect", "write", "headers", "body"])
def test_errors_hold_no_secret_and_pickle(phase: str) -> None:
    for error in (
        OSError(111, "refused sk-canary-1\x1b[31m header-canary"),
        MalformedResponseError("Bearer sk-canary-1"),
        RuntimeError("header-canary"),
        TimeoutError("sk-canary-1"),
    ):
        named = call(phase).failed(error)
        assert isinstance(named, VllmError)
        assert "canary" not in str(named)
        assert str(named).isprintable()
        again = pickle.loads(pickle.dumps(named))  # noqa: S301 - our own bytes
        assert (str(again), again.__dict__) == (str(named), named.__dict__)
