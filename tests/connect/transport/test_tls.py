"""TLS in both shells and on the httpx route: whose certificate is accepted, and what an end of the connection means."""

import socket
import ssl
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConnectionFailedError, StreamInterruptedError

from tests.connect.transport.conftest import ASK, CHAT, OWN, ROUTED, Carry
from tests.faults.server import (
    END,
    STREAM_HEAD,
    Connection,
    FaultServer,
    Script,
    answer,
    close,
    event,
    head,
    send,
)

CARRIERS = {**OWN, **ROUTED}
YESTERDAY = datetime.now(timezone.utc) - timedelta(days=1)
HI = event({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> Carry:
    """Each shell, and each of our own clients of httpx."""
    return CARRIERS[request.param]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def serving(authority: trustme.CA, host: str = "127.0.0.1", **options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, **options).configure_cert(context)
    return context


def refused(carrier: Carry, server: FaultServer, **settings: Any) -> ConnectionFailedError:
    with pytest.raises(ConnectionFailedError) as caught:
        carrier(VllmConfig(base_url=server.url, api_key="sk-canary", **settings), CHAT)
    assert (caught.value.code, caught.value.phase, caught.value.retryable) == ("tls", "connect", False)
    assert not server.requests
    return caught.value


def test_a_pinned_authority_is_accepted(carrier: Carry, authority: trustme.CA, ca_file: str) -> None:
    with FaultServer(answer(b"pinned"), tls=serving(authority)) as server:
        got = carrier(VllmConfig(base_url=server.url, verify=ca_file), ASK, ASK)
    assert (got.body, server.connections) == (b"pinned", 1)


def test_another_authority_is_refused_where_one_is_pinned(carrier: Carry, ca_file: str) -> None:
    with FaultServer(answer(), tls=serving(trustme.CA())) as server:
        assert "verify takes the path of a CA file" in str(refused(carrier, server, verify=ca_file))


def test_an_unknown_authority_is_refused(carrier: Carry, authority: trustme.CA) -> None:
    with FaultServer(answer(), tls=serving(authority)) as server:
        refused(carrier, server)


def test_an_expired_certificate_is_refused(carrier: Carry, authority: trustme.CA, ca_file: str) -> None:
    with FaultServer(answer(), tls=serving(authority, not_after=YESTERDAY)) as server:
        assert "expired" in str(refused(carrier, server, verify=ca_file))


def test_a_certificate_of_another_host_is_refused(carrier: Carry, authority: trustme.CA, ca_file: str) -> None:
    with FaultServer(answer(), tls=serving(authority, "elsewhere.test")) as server:
        refused(carrier, server, verify=ca_file)


def asking(authority: trustme.CA, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = serving(authority)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    return context


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
def test_a_client_certificate_is_sent(
    carrier: Carry, authority: trustme.CA, ca_file: str, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    own = authority.issue_cert("client@example.test")
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair = (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    with FaultServer(answer(b"known"), tls=asking(authority, version)) as server:
        assert carrier(VllmConfig(base_url=server.url, verify=ca_file, client_cert=pair), ASK).body == b"known"


@VERSIONS
def test_a_missing_client_certificate_is_an_error(
    carrier: Carry, authority: trustme.CA, ca_file: str, version: ssl.TLSVersion
) -> None:
    """In TLS 1.3 the server refuses only after the client has finished the handshake."""
    with FaultServer(answer(), tls=asking(authority, version)) as server:
        with pytest.raises(ConnectionFailedError) as caught:
            carrier(VllmConfig(base_url=server.url, verify=ca_file), ASK)
        assert not server.requests
    assert caught.value.code in {"tls", "connection_error"}


def cut(connection: Connection) -> None:
    """End the connection below TLS, without its `close_notify`."""
    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
    close(connection)


def notify(connection: Connection) -> None:
    """End TLS, and then the connection."""
    sock: Any = connection.sock
    sock.settimeout(0)
    with suppress(OSError):  # the other end has not answered yet
        sock.unwrap()
    close(connection)


PLAIN = head(headers={"content-type": "application/json"})
OPEN_STREAM = head(headers={"content-type": "text/event-stream"}) + b"data: {}\n\n"
CUT: dict[str, Script] = {
    "length": [send(head(headers={"content-length": "100"}) + b"{"), cut],
    "chunks": [send(STREAM_HEAD + HI), cut],
    "until the end": [send(PLAIN + b"{}"), cut],
    "a stream until the end": [send(OPEN_STREAM), cut],
    "no head": [cut],
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_without_close_notify_is_an_error(carrier: Carry, authority: trustme.CA, ca_file: str, name: str) -> None:
    with FaultServer(CUT[name], tls=serving(authority)) as server:
        with pytest.raises((ConnectionFailedError, StreamInterruptedError)) as caught:
            carrier(
                VllmConfig(base_url=server.url, verify=ca_file), CHAT if "stream" in name or name == "chunks" else ASK
            )
        assert len(server.requests) == 1
    assert caught.value.code in {"connection_error", "stream_interrupted"}


WHOLE: dict[str, Script] = {
    "length, and cut": [send(head(headers={"content-length": "2"}) + b"{}"), cut],
    "chunks, and cut": [send(STREAM_HEAD + HI + END), cut],
    "until the end": [send(PLAIN + b"{}"), notify],
    "a stream until the end": [send(OPEN_STREAM), notify],
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_that_was_whole_before_the_end_is_read(
    carrier: Carry, authority: trustme.CA, ca_file: str, name: str
) -> None:
    with FaultServer(WHOLE[name], tls=serving(authority)) as server:
        assert b"{" in carrier(VllmConfig(base_url=server.url, verify=ca_file), ASK).body
