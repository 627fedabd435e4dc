"""Hosts that only a server within its network reaches, however they are spelt."""

import pytest
from vllm_connect.conversation.private_hosts import is_private


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0",
        "10.0.0.1.",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "256.1.1.1",
        "1.2.3.4.5",
        "099.1.1.1",
        "[::1]",
        "[::]",
        "[fe80::1%25eth0]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "localhost",
        "LOCALHOST:8000",
        "a.localhost",
        "metadata",
        "metadata.google.internal",
        "printer.local",
        "router.lan.",
        "user@127.0.0.1",
        "example.org@127.0.0.1",
        "a@127.0.0.1@example.org",
        "example.org\\@127.0.0.1",
        "127.0.0.1\t.example.org",
        "%31%32%37.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "\u24dbocalhost",
        "[bad",
        "",
    ],
)
def test_a_private_host_is_private(host: str) -> None:
    assert is_private(f"http://{host}/a.png")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "HTTPS://EXAMPLE.ORG:8443/a%20b.png?at=http://127.0.0.1/#x@y",
        "https://user:password@example.org/a.png",
        "https://m\u00fcnchen.de/a.png",
        "http://8.8.8.8/a.png",
        "http://134744072/a.png",
        "http://[2606:4700::1111]/a.png",
        "https://localhost.example.org/a.png",
        "https://internal.example.org/a.png",
        "data:image/png;base64,iVBO",
        "DATA:,http://127.0.0.1/",
    ],
)
def test_others_are_not(url: str) -> None:
    assert not is_private(url)
