"""What goes through httpx: proxies of every kind, clients of the caller, mocks and recorders."""

import asyncio
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import trustme
import vcr
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConfigurationError, ConnectionFailedError, ProtocolError, RequestTimeoutError
from vllm_connect.transport.http import AsyncTransport, Transport

from tests.connect.transport.conftest import ASK, CHAT, Carry, aover, blocking, deadlines, looped, over
from tests.connect.transport.proxies import Connect, Socks
from tests.connect.transport.test_connection_failures import SLOW
from tests.connect.transport.test_connections import AFTER_THE_LAST, HI, asked
from tests.faults.server import (
    END,
    STREAM_HEAD,
    FaultServer,
    Script,
    answer,
    close,
    event,
    forever,
    send,
    stall,
    stream,
    trickle,
    wait,
)

VERSION = b'{"version": "0.32.0"}'


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(answer({"version": "0.32.0"})) as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "gpu.test").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def config(server: FaultServer, **settings: Any) -> VllmConfig:
    return VllmConfig(base_url=server.url, **{"timeout": 5, **settings})


# Proxies


def test_a_tunnel_through_a_proxy_carries_tls(carry: Carry, tls: ssl.SSLContext, ca_file: str) -> None:
    with FaultServer(answer(b"through"), tls=tls) as server, Connect() as proxy:
        url = f"https://gpu.test:{server.port}"
        got = carry(VllmConfig(base_url=url, proxy=proxy.url, verify=ca_file, api_key="sk-1"), ASK, CHAT)
        assert (got.body, server.connections) == (b"through", 1)
        assert server.requests[0].headers["authorization"] == "Bearer sk-1"
    assert [line.partition(" HTTP")[0] for line in proxy.asked] == [f"CONNECT gpu.test:{server.port}"]
    assert "sk-1" not in proxy.asked[0]


def test_a_proxy_that_speaks_tls(carry: Carry, tls: ssl.SSLContext, ca_file: str) -> None:
    with FaultServer(answer(b"forwarded"), tls=tls) as proxy:
        url = f"https://user:p-canary@127.0.0.1:{proxy.port}"
        got = carry(VllmConfig(base_url="http://gpu.test:8000", proxy=url, verify=ca_file), ASK)
        assert got.body == b"forwarded"
        assert proxy.requests[0].line == "GET http://gpu.test:8000/version HTTP/1.1"
        assert "proxy-authorization" in proxy.requests[0].headers
        with pytest.raises(ConnectionFailedError) as caught:
            carry(VllmConfig(base_url="http://gpu.test:8000", proxy=url), ASK)
    assert (caught.value.code, caught.value.retryable) == ("tls", False)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy(carry: Carry, server: FaultServer, scheme: str) -> None:
    with Socks() as proxy:
        url = proxy.url.replace("socks5", scheme)
        got = carry(VllmConfig(base_url=f"http://gpu.test:{server.port}", proxy=url), ASK, ASK)
    assert (got.body, server.connections, proxy.asked) == (VERSION, 1, ["gpu.test"])


def test_a_socks_proxy_of_the_environment(carry: Carry, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with Socks() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert carry(VllmConfig(base_url=f"http://gpu.test:{server.port}"), ASK).body == VERSION
        assert carry(config(server), ASK).body == VERSION
    assert proxy.asked == ["gpu.test"]


def test_a_socks_proxy_without_its_package_names_it(
    carry: Carry, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'vllm-connect\[socks\]'"):
        carry(VllmConfig(base_url="http://gpu.test", proxy="socks5://127.0.0.1:9"), ASK)
    assert not server.requests


@pytest.mark.parametrize(("timeout", "phase"), [({"connect": 0.4}, "connect"), ({"total": 0.4}, "total")])
def test_a_proxy_that_drips_its_answer_is_late(carry: Carry, timeout: dict[str, float], phase: str) -> None:
    with FaultServer(answer()) as server, Connect(drip=0.05) as proxy:
        url = f"https://gpu.test:{server.port}"
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError) as caught:
            carry(VllmConfig(base_url=url, proxy=proxy.url, timeout=timeout), ASK)
    assert caught.value.phase == phase
    assert time.monotonic() - started < 1.5


# Deadlines and connections of our own clients


@pytest.mark.parametrize(("script", "phase", "timeout"), SLOW.values(), ids=SLOW)
def test_deadlines_hold(carry_routed: Carry, script: Script, phase: str, timeout: dict[str, float]) -> None:
    with FaultServer(script) as server:
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError, match=f"127.0.0.1:{server.port}") as caught:
            carry_routed(config(server, timeout=timeout), CHAT)
        ended = server.wait_for_hang_up()
    assert (caught.value.phase, caught.value.retryable) == (phase, False)
    assert min(timeout.values()) <= ended - started < 3


def test_connections_are_kept(carry_routed: Carry, server: FaultServer) -> None:
    assert carry_routed(config(server), ASK, ASK, ASK).body == VERSION
    assert (len(server.requests), server.connections) == (3, 1)
    server.wait_until_closed()


def test_a_stream_that_was_left_at_its_last_event_is_kept(carry_routed: Carry) -> None:
    script = [*stream(HI, done=False), send(event("[DONE]")), wait(0.01), send(END)]
    with FaultServer(script) as server:
        carry_routed(config(server), CHAT, CHAT, until=b"[DONE]")
        assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.parametrize("name", [name for name in AFTER_THE_LAST if name != "more bytes"])
def test_connections_are_closed_that_cannot_serve_again(carry_routed: Carry, name: str) -> None:
    with FaultServer(AFTER_THE_LAST[name]) as server:
        carry_routed(config(server), CHAT, CHAT, until=b"[DONE]")
        assert (len(server.requests), server.connections) == (2, 2)
        server.wait_until_closed()


def test_a_connection_that_the_server_closed_costs_nothing(carry_routed: Carry) -> None:
    with FaultServer(answer(b"1"), [close], answer(b"2")) as server:
        assert carry_routed(config(server), ASK, CHAT).body == b"2"
        assert [request.connection for request in server.requests] == [0, 0, 1]


async def test_a_call_that_is_cancelled_ends_at_once() -> None:
    for script in ([stall], [send(STREAM_HEAD), stall], [send(STREAM_HEAD), forever(event(HI), 0.01)]):
        with FaultServer(script) as server:
            settings = config(server, transport="httpx")
            transport = AsyncTransport(settings)
            task = asyncio.ensure_future(aover(transport, settings, (CHAT,)))
            await asked(server)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_for_hang_up)
            await transport.aclose()


async def test_a_call_that_is_cancelled_during_the_handshake_ends_at_once() -> None:
    with FaultServer(answer(), greeting=[stall]) as server:
        settings = VllmConfig(base_url=server.url.replace("http:", "https:"), transport="httpx")
        transport = AsyncTransport(settings)
        task = asyncio.ensure_future(aover(transport, settings, (CHAT,)))
        while not server.busy:  # noqa: ASYNC110 - the server is in a thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_for_hang_up)
        await transport.aclose()


async def test_the_pool_is_whole_after_a_storm_of_cancellations() -> None:
    with FaultServer([wait(0.01), *answer()]) as server:
        settings = config(server, max_connections=4, transport="httpx")
        transport = AsyncTransport(settings)

        async def ask() -> None:
            async with transport.open(CHAT, deadlines(settings)) as reply:
                assert [piece async for piece in reply] == [b"{}"]

        for turn in range(10):
            tasks = [asyncio.ensure_future(ask()) for _ in range(16)]
            await asyncio.sleep(0.002 * turn)
            for task in tasks[::2] + tasks[1::4]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(10):
            await ask()
        assert server.open_connections <= 4
        await transport.aclose()


def test_threads_share_connections(server: FaultServer) -> None:
    settings = config(server, max_connections=2, transport="httpx")
    transport = Transport(settings)
    bodies: list[bytes] = []

    def ask() -> None:
        for _ in range(5):
            with transport.open(ASK, deadlines(settings)) as reply:
                bodies.append(b"".join(reply))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()
    assert (bodies, server.connections) == ([VERSION] * 40, 2)


# Clients of the caller


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_mock_transport_of_the_caller(module: Any) -> None:
    def answer_it(request: Any) -> Any:
        return module.Response(200, json={"asked": str(request.url)})

    settings = VllmConfig(base_url="http://gpu.test:8000/prefix")
    with module.Client(transport=module.MockTransport(answer_it)) as client:
        got = over(Transport(settings, client), settings, (ASK,))
    assert got.body == b'{"asked":"http://gpu.test:8000/prefix/version"}'


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_an_async_client_in_a_second_event_loop_gets_an_error_that_names_the_cause(
    module: Any, server: FaultServer
) -> None:
    settings = config(server)
    client = module.AsyncClient()

    async def ask() -> bytes:
        async with AsyncTransport(settings, client).open(ASK, deadlines(settings)) as reply:
            return b"".join([piece async for piece in reply])

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(ask()) == VERSION
    with pytest.raises(ConfigurationError, match=r"in another event loop before.*one for each event loop"):
        asyncio.run(ask())
    loop.run_until_complete(client.aclose())
    loop.close()


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_client_of_the_caller_takes_what_follows_an_answer_for_the_next(module: Any) -> None:
    """The page says so: the connection is the caller's client's, which parses it alone."""
    one, two = (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % number for number in (1, 2))
    with FaultServer([send(one + two)]) as server, module.Client(trust_env=False) as client:
        assert over(Transport(config(server), client), config(server), (ASK, ASK)).body == b"2"
        assert over(Transport(config(server, transport="httpx")), config(server), (ASK, ASK)).body == b"1"


def test_the_body_of_a_client_of_the_caller_is_decoded_once(server: FaultServer) -> None:
    def gzipped(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"plain", headers={"x": "y"})

    with httpx.Client(transport=httpx.MockTransport(gzipped)) as client:
        assert over(Transport(config(server), client), config(server), (ASK,)).body == b"plain"


# Mocks and recorders of httpx


@pytest.mark.parametrize("carrier", [blocking, looped], ids=["blocking", "looped"])
def test_a_cassette_sees_calls_and_replays_them(carrier: Carry, tmp_path: Path) -> None:
    recorder = vcr.VCR(cassette_library_dir=str(tmp_path), filter_headers=["authorization"])
    with FaultServer(answer({"version": "0.32.0"}), stream({"n": 1})) as server:
        settings = VllmConfig(base_url=server.url, api_key="sk-canary")
        with recorder.use_cassette("c.yaml", record_mode="new_episodes"):
            recorded = carrier(settings, ASK), carrier(settings, CHAT)
    with recorder.use_cassette("c.yaml", record_mode="none"):
        replayed = carrier(settings, ASK), carrier(settings, CHAT)
    assert [got.body for got in replayed] == [got.body for got in recorded]
    assert "canary" not in (tmp_path / "c.yaml").read_text()


def test_a_cassette_that_begins_while_a_connection_is_warm_sees_the_next_call(
    server: FaultServer, tmp_path: Path
) -> None:
    settings = config(server)
    transport = Transport(settings)
    for used in (1, 2):
        over_kept = deadlines(settings)
        with transport.open(ASK, over_kept) as reply:
            assert b"".join(reply) == VERSION
        assert (len(server.requests), server.connections) == (used, 1)
    with vcr.use_cassette(str(tmp_path / "c.yaml")) as cassette, transport.open(ASK, deadlines(settings)) as reply:
        assert b"".join(reply) == VERSION
    assert len(cassette) == 1
    with transport.open(ASK, deadlines(settings)) as reply:
        assert b"".join(reply) == VERSION
    assert server.connections == 2, "the warm connection serves again"
    transport.close()


# What httpx reads


def test_a_redirect_is_refused(carry_routed: Carry) -> None:
    with FaultServer(answer(b"", "307 Temporary Redirect", {"location": "http://127.0.0.1:1/"})) as server:
        with pytest.raises(ProtocolError) as caught:
            carry_routed(config(server), CHAT)
        assert len(server.requests) == 1
    assert caught.value.code == "redirect"


def test_pieces_are_read_as_they_come(carry_routed: Carry) -> None:
    with FaultServer([send(STREAM_HEAD), trickle(event(HI) * 3, 7, 0.001), send(END)]) as server:
        got = carry_routed(config(server), CHAT)
    assert got.body.count(b"data: ") == 3
