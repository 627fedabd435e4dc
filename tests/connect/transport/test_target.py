"""What stands between: proxies, TLS, and the headers that every request carries."""

import base64
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConfigurationError, ConnectionFailedError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.transport import target as target_module
from vllm_connect.transport.http import Transport
from vllm_connect.transport.target import Target, is_this_machine
from vllm_connect.transport.tls import tls_context

from tests.connect.transport.conftest import ASK, CHAT, Carry, over
from tests.faults.server import Connection, FaultServer, answer, close, head, reset, send, stream

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def unwarned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "_warned", set())


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[FaultServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FaultServer(answer(b"over TLS"), tls=context) as server:
        yield server


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


# TLS


def test_own_authority(carry: Carry, secure: FaultServer, ca_file: str) -> None:
    got = carry(VllmConfig(base_url=secure.url, verify=ca_file), ASK, ASK)
    assert (got.body, secure.connections) == (b"over TLS", 1)


def test_authority_of_the_environment(
    carry: Carry, secure: FaultServer, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    assert carry(VllmConfig(base_url=secure.url), ASK).body == b"over TLS"
    with pytest.raises(ConnectionFailedError) as caught:
        carry(VllmConfig(base_url=secure.url, trust_env=False), ASK)
    assert caught.value.code == "tls"


def test_unknown_authority(carry: Carry, secure: FaultServer) -> None:
    with pytest.raises(ConnectionFailedError, match="verify takes the path of a CA file") as caught:
        carry(VllmConfig(base_url=secure.url), CHAT)
    assert (caught.value.code, caught.value.retryable) == ("tls", False)
    assert not secure.requests


def test_wrong_host(carry: Carry, ca_file: str, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.test").configure_cert(context)
    with FaultServer(answer(), tls=context) as server, pytest.raises(ConnectionFailedError) as caught:
        carry(VllmConfig(base_url=server.url, verify=ca_file), ASK)
    assert caught.value.code == "tls"


@pytest.mark.usefixtures("unwarned")
def test_unverified_warns_once(carry: Carry, secure: FaultServer) -> None:
    config = VllmConfig(base_url=secure.url, verify=False)
    with pytest.warns(UserWarning, match="not verified"):
        assert carry(config, ASK).body == b"over TLS"
    assert carry(config, ASK).body == b"over TLS"


def test_client_certificate(carry: Carry, authority: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    own = authority.issue_cert("client@example.test")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    with FaultServer(answer(b"known"), tls=context) as server:
        config = VllmConfig(base_url=server.url, verify=ca_file, client_cert=str(tmp_path / "own.pem"))
        assert carry(config, ASK).body == b"known"


@pytest.mark.parametrize("setting", ["verify", "client_cert"])
def test_missing_file(carry: Carry, setting: str) -> None:
    config = VllmConfig(base_url="https://127.0.0.1:9", **{setting: "/nowhere/ca.pem"})
    with pytest.raises(ConfigurationError, match=f"{setting}: '/nowhere/ca.pem'"):
        carry(config, ASK)


def test_one_context_for_the_same_settings(ca_file: str) -> None:
    assert tls_context(ca_file, None, ()) is tls_context(ca_file, None, ())


# Proxies


def tunnel(connection: Connection) -> None:
    """Answer CONNECT, then speak TLS is too much for a script: say no."""
    connection.send(head("502 Bad Gateway"))


def test_forward_proxy(carry: Carry) -> None:
    with FaultServer(answer(b"proxied")) as proxy:
        config = VllmConfig(base_url="http://gpu.test:8000/prefix", proxy=f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        assert carry(config, ASK, ASK).body == b"proxied"
        request = proxy.requests[0]
        assert request.line == "GET http://gpu.test:8000/prefix/version HTTP/1.1"
        assert request.headers["host"] == "gpu.test:8000"
        assert base64.b64decode(request.headers["proxy-authorization"].split()[1]) == b"user:p@ss"
        assert proxy.connections == 1


def test_tunnel(carry: Carry) -> None:
    with FaultServer([send(head("407 Proxy Authentication Required", {"content-length": "0"})), close]) as proxy:
        config = VllmConfig(base_url="https://gpu.test", proxy=f"http://user:p-canary@127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectionFailedError, match="proxy_auth") as caught:
            carry(config, CHAT)
        assert proxy.requests[0].line.startswith("CONNECT gpu.test:443 ")
        assert base64.b64decode(proxy.requests[0].headers["proxy-authorization"].split()[1]) == b"user:p-canary"
        assert "authorization" not in proxy.requests[0].headers
        assert proxy.requests[0].body == b""
    assert (caught.value.code, caught.value.retryable) == ("proxy", False)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("script", [[reset], [close], [tunnel, close]])
def test_proxy_that_breaks_off(carry: Carry, script: list[object]) -> None:
    with FaultServer(script) as proxy, pytest.raises(ConnectionFailedError) as caught:  # type: ignore[arg-type] # actions
        carry(VllmConfig(base_url="https://gpu.test", proxy=f"http://127.0.0.1:{proxy.port}"), CHAT)
    assert (caught.value.code, caught.value.retryable) == ("proxy", True)


def test_proxy_not_there(carry: Carry) -> None:
    with pytest.raises(ConnectionFailedError, match=r"the proxy 127\.0\.0\.1:9 does not lead to") as caught:
        carry(VllmConfig(base_url="http://gpu.test:8000", proxy="http://127.0.0.1:9"), ASK)
    assert (caught.value.code, caught.value.retryable) == ("proxy", True)


def test_proxy_of_the_environment(carry: Carry, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(answer(b"proxied")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://u:p@127.0.0.1:{proxy.port}")
        assert carry(VllmConfig(base_url="http://gpu.test:8000"), ASK).body == b"proxied"
        assert "proxy-authorization" in proxy.requests[0].headers
        for settings in ({"trust_env": False}, {}):
            monkeypatch.setenv("NO_PROXY", "gpu.test")
            assert Target(VllmConfig(base_url="http://gpu.test:8000", **settings)).proxy is None


HERE = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "vllm.localhost",
    "127.0.0.1",
    "127.0.0.1.",
    "127.8.9.1",
    "127.1",
    "0x7f.1",
    "017700000001",
    "2130706433",
    "0.0.0.0",  # noqa: S104 - an address like others
    "0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0.0.0.0]",
]


@pytest.mark.parametrize("host", HERE)
def test_this_machine_is_reached_without_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    assert Target(VllmConfig(base_url=f"http://{host}:8000")).proxy is None
    assert Target(VllmConfig(base_url=f"http://{host}:8000", proxy="http://proxy.test:3128")).proxy is None


def test_loopback_request_stays_here(carry: Carry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with FaultServer(answer(b"direct")) as server:
        assert carry(VllmConfig(base_url=server.url), ASK).body == b"direct"


def test_other_hosts_are_not_this_machine() -> None:
    others = ("10.0.0.1", "localhost.example.test", "notlocalhost", "::2", "gpu-1", "128.0.0.1", "::ffff:10.0.0.1")
    assert [host for host in others if is_this_machine(host)] == []


@pytest.mark.parametrize(
    ("exempt", "host", "is_direct"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("a.test, 10.0.0.0/8", "10.1.2.3", True),
        ("10.1.2.3/8", "10.9.9.9", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "[fd12::1]", True),
        ("fd00::/8", "10.1.2.3", False),
        ("10.0.0.0/99", "10.1.2.3", False),
        ("gpu.test", "gpu.test", True),
        (".test", "gpu.test", True),
        ("test", "gpu.test", True),
        ("other.test", "gpu.test", False),
        ("gpu.test:8000", "gpu.test", True),
        ("gpu.test:9000", "gpu.test", False),
        ("*", "gpu.test", True),
    ],
)
def test_no_proxy_exempts_hosts_and_networks(
    exempt: str, host: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert (Target(VllmConfig(base_url=f"http://{host}:8000")).proxy is None) is is_direct


@pytest.mark.parametrize("proxy", ["socks4://u:p-canary@127.0.0.1:1080", "http://[::1", "ftp://proxy.test"])
def test_a_proxy_that_cannot_be_used_is_refused(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigurationError, match=r"^proxy ") as caught:
        Target(VllmConfig(base_url="http://gpu.test"))
    assert "canary" not in str(caught.value)


def test_client_of_the_caller_has_its_own_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://u:p@127.0.0.1:9")
    config = VllmConfig(base_url="http://gpu.test:8000", proxy="http://u:p@127.0.0.1:9")
    with httpx.Client(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, json=dict(request.headers)))
    ) as client:
        got = over(Transport(config, client), config, (ASK,))
    assert b"user-agent" in got.body
    assert b"proxy-authorization" not in got.body


# Headers


def test_headers(carry_any: Carry) -> None:
    with FaultServer(answer()) as server:
        config = VllmConfig(base_url=f"{server.url}/v1", api_key=" sk-1 ", headers={"X-Tenant": "t"}, user_agent="me/1")
        carry_any(config, HttpRequest("POST", "/v1/chat/completions", b"{}", {"X-Session-ID": "s"}, streaming=True))
    headers = server.requests[0].headers
    assert server.requests[0].line == "POST /v1/chat/completions HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["authorization"] == "Bearer sk-1"
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == "2"
    assert headers["accept"].startswith("text/event-stream")
    assert headers["accept-encoding"] == "identity"
    assert (headers["x-tenant"], headers["x-session-id"], headers["user-agent"]) == ("t", "s", "me/1")


def test_headers_of_a_plain_question(carry: Carry) -> None:
    with FaultServer(answer()) as server:
        carry(VllmConfig(base_url=server.url), ASK)
    headers = server.requests[0].headers
    assert "authorization" not in headers
    assert "content-type" not in headers
    assert headers["user-agent"].startswith("vllm-connect/")
    assert headers["accept-encoding"] == "gzip"


def test_key_that_changes(carry: Carry) -> None:
    keys = iter(["first", "second\n"])
    with FaultServer(answer()) as server:
        carry(VllmConfig(base_url=server.url, api_key=lambda: next(keys)), ASK, ASK)
        assert [r.headers["authorization"] for r in server.requests] == ["Bearer first", "Bearer second"]


def test_header_that_changes(carry_any: Carry) -> None:
    values = iter(["first", "second"])
    with FaultServer(answer()) as server:
        carry_any(VllmConfig(base_url=server.url, headers={"X-Token": lambda: next(values)}), ASK, ASK)
        assert [r.headers["x-token"] for r in server.requests] == ["first", "second"]


@pytest.mark.parametrize("value", ["canary\nx", 5])
def test_header_of_a_function_that_cannot_be_sent(carry_any: Carry, value: object) -> None:
    with FaultServer(answer()) as server:
        with pytest.raises(ConfigurationError, match="'X-Token'") as caught:
            carry_any(VllmConfig(base_url=server.url, headers={"X-Token": lambda: value}), ASK)
        assert not server.requests
    assert "canary" not in str(caught.value)


def test_key_that_cannot_be_sent(carry_any: Carry) -> None:
    with FaultServer(answer()) as server:
        with pytest.raises(ConfigurationError, match="not shown") as caught:
            carry_any(VllmConfig(base_url=server.url, api_key=lambda: "sk-canary\nx"), ASK)
        assert not server.requests
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "nul\0", "пользователь"])
def test_header_of_a_request_that_cannot_be_sent(carry_any: Carry, value: str) -> None:
    with FaultServer(answer()) as server:
        with pytest.raises(ConfigurationError, match="'x-session-id'"):
            carry_any(VllmConfig(base_url=server.url), HttpRequest("GET", "/", headers={"x-session-id": value}))
        assert not server.requests


def test_basic_auth(carry: Carry) -> None:
    with FaultServer(answer()) as server:
        carry(VllmConfig(base_url=f"http://ann:pässword@127.0.0.1:{server.port}"), ASK)
    kind, value = server.requests[0].headers["authorization"].split()
    assert (kind, base64.b64decode(value).decode()) == ("Basic", "ann:pässword")


# Warnings


@pytest.mark.usefixtures("unwarned")
def test_key_over_plain_http_warns_once() -> None:
    with pytest.warns(UserWarning, match=r"gpu\.test:8000 unencrypted"):
        Target(VllmConfig(base_url="http://gpu.test:8000", api_key="sk"))
    Target(VllmConfig(base_url="http://gpu.test:8000", api_key="sk"))


@pytest.mark.usefixtures("unwarned")
def test_nothing_to_warn_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Target(VllmConfig(base_url="http://gpu.test:8000"))
        Target(VllmConfig(base_url="http://127.0.0.1:8000", api_key="sk"))
        Target(VllmConfig(base_url="https://gpu.test:8000", api_key="sk"))


def test_stream_of_events_arrives(carry_any: Carry) -> None:
    with FaultServer(stream({"n": 1}, {"n": 2})) as server:
        got = carry_any(VllmConfig(base_url=server.url), CHAT)
    assert got.body == b'data: {"n": 1}\n\ndata: {"n": 2}\n\ndata: [DONE]\n\n'
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"
