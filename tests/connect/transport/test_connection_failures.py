"""Every way a connection can fail has its error, says where it was, and says what to do next."""

import socket
import time

import pytest
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import (
    ConnectionFailedError,
    ProtocolError,
    RequestTimeoutError,
    StreamInterruptedError,
    VllmError,
)
from vllm_connect.protocol.http_request import HttpRequest

from tests.connect.transport.conftest import ASK, CHAT, Carry
from tests.faults.server import (
    STREAM_HEAD,
    FaultServer,
    Script,
    answer,
    chunk,
    close,
    event,
    forever,
    head,
    read_some,
    reset,
    send,
    stall,
    trickle,
    wait,
)

TEXT = event({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def config(server: FaultServer, **settings: object) -> VllmConfig:
    return VllmConfig(base_url=server.url, api_key="sk-canary", **{"timeout": 5, **settings})


def test_refused(carry_any: Carry) -> None:
    port = free_port()
    with pytest.raises(ConnectionFailedError, match=f"127.0.0.1:{port}.*is vLLM running") as caught:
        carry_any(VllmConfig(base_url=f"http://127.0.0.1:{port}"), ASK)
    assert (caught.value.code, caught.value.phase, caught.value.retryable) == ("connection_error", "connect", True)


def test_name_unknown(carry_any: Carry) -> None:
    with pytest.raises(ConnectionFailedError, match=r"nowhere\.invalid") as caught:
        carry_any(VllmConfig(base_url="http://nowhere.invalid:8000"), ASK)
    assert (caught.value.code, caught.value.retryable) == ("dns", True)


def test_tls_to_a_plain_port(carry_any: Carry) -> None:
    greeting = [read_some, send(head("400 Bad Request", {"connection": "close"})), close]
    with FaultServer(answer(), greeting=greeting) as server, pytest.raises(ConnectionFailedError) as caught:
        carry_any(VllmConfig(base_url=server.url.replace("http:", "https:"), timeout=2), ASK)
    assert (caught.value.code, caught.value.retryable) == ("tls", False)


BEFORE_THE_HEAD: dict[str, Script] = {
    "reset": [reset],
    "end": [close],
    "end in the head": [send(b"HTTP/1.1 200 OK\r\ncontent-"), close],
}


@pytest.mark.parametrize("script", BEFORE_THE_HEAD.values(), ids=BEFORE_THE_HEAD)
def test_hung_up_before_the_head(carry_any: Carry, script: Script) -> None:
    with FaultServer(script) as server:
        with pytest.raises(ConnectionFailedError) as caught:
            carry_any(config(server), CHAT)
        assert len(server.requests) == 1
    assert (caught.value.code, caught.value.retryable) == ("connection_error", True)


CUTS: dict[str, Script] = {
    "reset": [send(STREAM_HEAD + TEXT), wait(0.05), reset],
    "chunks without end": [send(STREAM_HEAD + TEXT), close],
    "chunk cut": [send(STREAM_HEAD + TEXT + b"40\r\ndata: "), close],
    "length not reached": [
        send(head(headers={"content-type": "text/event-stream", "content-length": "1000"}) + b"data: {}\n\n"),
        close,
    ],
}


@pytest.mark.parametrize("script", CUTS.values(), ids=CUTS)
def test_stream_cut(carry_any: Carry, script: Script) -> None:
    with FaultServer(script) as server:
        with pytest.raises(StreamInterruptedError) as caught:
            carry_any(config(server), CHAT)
        assert len(server.requests) == 1
        server.wait_until_closed()
    assert (caught.value.code, caught.value.phase, caught.value.retryable) == ("stream_interrupted", "body", False)


def test_body_cut(carry_any: Carry) -> None:
    script = [send(head(headers={"content-length": "100"}) + b'{"id": 1'), close]
    with FaultServer(script) as server, pytest.raises(ConnectionFailedError) as caught:
        carry_any(config(server), ASK)
    assert (caught.value.phase, caught.value.retryable) == ("body", True)


NO_HTTP: dict[str, Script] = {
    "other protocol": [send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), close],
    "many headers": [send(head(headers={f"x-{n}": "y" for n in range(10_000)})), stall],
    "long header": [send(head(headers={"x-long": "y" * 1_000_000})), stall],
    "chunk size": [send(STREAM_HEAD + b"zz\r\ndata\r\n"), stall],
    "length": [send(head(headers={"content-length": "ten"}) + b"{}"), close],
}


@pytest.mark.parametrize("script", NO_HTTP.values(), ids=NO_HTTP)
def test_broken_http(carry: Carry, script: Script) -> None:
    with FaultServer(script) as server, pytest.raises(ProtocolError) as caught:
        carry(config(server), CHAT)
    assert caught.value.code == "bad_http"
    assert not caught.value.retryable


SLOW: dict[str, tuple[Script, str, dict[str, float]]] = {
    "no head": ([stall], "first_token", {"first_token": 0.2}),
    "head by the byte": ([trickle(head(headers={"x": "y" * 500}), 1, 0.02)], "first_token", {"first_token": 0.2}),
    "no data": ([send(STREAM_HEAD), stall], "first_token", {"first_token": 0.2}),
    "only comments": ([send(STREAM_HEAD), forever(chunk(b": wait\n\n"), 0.02)], "first_token", {"first_token": 0.2}),
    "stall": ([send(STREAM_HEAD + TEXT), stall], "stall", {"stall": 0.2}),
    "comments after data": (
        [send(STREAM_HEAD + TEXT), wait(0.01), forever(chunk(b": wait\n\n"), 0.02)],
        "stall",
        {"stall": 0.2},
    ),
    "stall after a wait": ([send(STREAM_HEAD), wait(0.15), send(TEXT), stall], "stall", {"stall": 0.2}),
    "endless data": ([send(STREAM_HEAD), forever(TEXT, 0.02)], "total", {"total": 0.3, "stall": 5}),
}


@pytest.mark.parametrize(("script", "phase", "timeout"), SLOW.values(), ids=SLOW)
def test_too_late(carry: Carry, script: Script, phase: str, timeout: dict[str, float]) -> None:
    with FaultServer(script) as server:
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError, match=f"127.0.0.1:{server.port}") as caught:
            carry(config(server, timeout=timeout), CHAT)
        ended = server.wait_for_hang_up()
    assert (caught.value.phase, caught.value.retryable, caught.value.code) == (phase, False, "timeout")
    assert f"timeout.{phase}" in str(caught.value)
    assert ended - started >= min(timeout.values())


def test_body_that_is_no_stream_is_late(carry: Carry) -> None:
    script = [send(head(headers={"content-length": "100"})), forever(b" ", 0.02)]
    with FaultServer(script) as server, pytest.raises(RequestTimeoutError) as caught:
        carry(config(server, timeout={"stall": 0.2}), ASK, data=lambda _: False)
    assert caught.value.phase == "body"


def test_an_unread_request_times_out(carry: Carry) -> None:
    """The server greets and then reads nothing, and the request does not fit into the network's buffers."""
    large = HttpRequest("POST", "/v1/chat/completions", b" " * 20_000_000)
    with (
        FaultServer(answer(), greeting=[read_some, lambda _: time.sleep(1.0)]) as server,
        pytest.raises(RequestTimeoutError) as caught,
    ):
        carry(config(server, timeout={"write": 0.3}), large)
    assert caught.value.phase == "write"


def test_silent_tls_is_late(carry: Carry) -> None:
    with FaultServer(answer(), greeting=[stall]) as server, pytest.raises(RequestTimeoutError) as caught:
        carry(VllmConfig(base_url=server.url.replace("http:", "https:"), timeout={"connect": 0.3}), ASK)
    assert (caught.value.phase, caught.value.retryable) == ("connect", True)


REFUSED: dict[str, tuple[Script, str]] = {
    "redirect": (answer(b"", "307 Temporary Redirect", {"location": "http://u:p@other:1/v1?k=v"}), "redirect"),
    "redirect to plain": (answer(b"", "301 Moved Permanently", {"location": "http://127.0.0.1/"}), "redirect"),
    "redirect to nowhere": (answer(b"", "302 Found"), "redirect"),
    "no content": ([send(head("204 No Content"))], "protocol"),
    "partial content": (answer(b"{}", "206 Partial Content"), "protocol"),
    "brotli": (answer(b"\x0b\x02\x80", headers={"content-encoding": "br"}), "bad_encoding"),
    "no gzip": (answer(b"plain text, not packed", headers={"content-encoding": "gzip"}), "bad_encoding"),
}


@pytest.mark.parametrize(("script", "code"), REFUSED.values(), ids=REFUSED)
def test_answers_that_are_refused(carry: Carry, script: Script, code: str) -> None:
    with FaultServer(script) as server:
        with pytest.raises(ProtocolError) as caught:
            carry(config(server), CHAT)
        assert len(server.requests) == 1
    assert (caught.value.code, caught.value.retryable) == (code, False)


def test_redirect_names_the_host_only(carry_any: Carry) -> None:
    with FaultServer(REFUSED["redirect"][0]) as server, pytest.raises(ProtocolError, match="http://other") as caught:
        carry_any(config(server), CHAT)
    assert "u:p" not in str(caught.value)
    assert "k=v" not in str(caught.value)


LEAKY: dict[str, Script] = {
    "reset": [reset],
    "end": [close],
    "no head": [stall],
    "cut": CUTS["reset"],
    "stall": SLOW["stall"][0],
    "no HTTP": NO_HTTP["other protocol"],
    "redirect": REFUSED["redirect"][0],
}


@pytest.mark.parametrize("script", LEAKY.values(), ids=LEAKY)
def test_errors_carry_no_key(carry: Carry, script: Script) -> None:
    """Neither in themselves nor in the variables of the frames they passed, which error reporters collect."""
    with FaultServer(script) as server, pytest.raises(VllmError) as caught:
        carry(config(server, headers={"x-tenant": "tenant-canary"}, timeout=0.2), CHAT)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "canary" not in repr(error.__dict__) + str(error)
    frame = error.__traceback__
    while frame is not None:
        variables = {name: value for name, value in frame.tb_frame.f_locals.items() if name != "caught"}
        assert "canary" not in repr(variables)
        frame = frame.tb_next
