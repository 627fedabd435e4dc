"""A body is decoded whatever pieces it comes in, and ends at its limit."""

import gzip
import os
import tracemalloc
import zlib

import pytest
from hypothesis import given, strategies as st
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConnectionFailedError, ProtocolError
from vllm_connect.transport.reply import MAX_BODY_BYTES, ContentDecoder

from tests.connect.transport.conftest import ASK, CHAT, Carry
from tests.faults.server import FaultServer, answer, head, send, trickle

BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@given(BODIES, st.integers(1, 50))
def test_gzip_in_any_pieces(chunks: list[bytes], size: int) -> None:
    packed = gzip.compress(b"".join(chunks))
    decoder = ContentDecoder("gzip", None)
    body = b"".join(piece for at in range(0, len(packed), size) for piece in decoder.decode(packed[at : at + size]))
    assert (body, decoder.is_complete()) == (b"".join(chunks), True)


def test_limit() -> None:
    decoder = ContentDecoder("identity", 10)
    assert list(decoder.decode(b"x" * 10)) == [b"x" * 10]
    with pytest.raises(ProtocolError) as caught:
        list(decoder.decode(b"x"))
    assert caught.value.code == "response_too_large"


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_gzip_answer(carry_any: Carry, size: int) -> None:
    body = os.urandom(500) * 100
    packed = gzip.compress(body)
    headers = {"content-encoding": "gzip", "content-length": str(len(packed))}
    with FaultServer([send(head(headers=headers)), trickle(packed, size)]) as server:
        assert carry_any(VllmConfig(base_url=server.url), ASK).body == body


def test_gzip_answer_cut(carry: Carry) -> None:
    packed = gzip.compress(b"x" * 1000)[:-12]
    with (
        FaultServer(answer(packed, headers={"content-encoding": "gzip"})) as server,
        pytest.raises(ConnectionFailedError),
    ):
        carry(VllmConfig(base_url=server.url), ASK)


def test_bomb(carry: Carry) -> None:
    """300 MB in 0.3 MB stop at the limit, in bounded memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(300)) + packer.flush()
    with FaultServer(answer(packed, headers={"content-encoding": "gzip"})) as server:
        config = VllmConfig(base_url=server.url)
        tracemalloc.start()
        with pytest.raises(ProtocolError) as caught:
            carry(config, ASK)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert caught.value.code == "response_too_large"
    assert peak < MAX_BODY_BYTES + 8_000_000


def test_a_body_at_the_limit(carry: Carry) -> None:
    for size, fits in ((MAX_BODY_BYTES, True), (MAX_BODY_BYTES + 1, False)):
        with FaultServer(answer(b" " * size)) as server:
            config = VllmConfig(base_url=server.url)
            if fits:
                assert sum(map(len, carry(config, ASK).pieces)) == size
                continue
            with pytest.raises(ProtocolError) as caught:
                carry(config, ASK)
            assert caught.value.code == "response_too_large"


def test_a_stream_has_no_limit_of_its_own(carry: Carry) -> None:
    """Its events have one each; here the length of the whole is no concern."""
    line = b": " + b"x" * 99_998
    with FaultServer([send(head(headers={"content-type": "text/event-stream"})), *[send(line)] * 700]) as server:
        config = VllmConfig(base_url=server.url, timeout={"total": 20})
        with pytest.raises(KeyError):
            carry(config, CHAT, data=_stop_after(MAX_BODY_BYTES))


def _stop_after(size: int) -> "_Counter":
    return _Counter(size)


class _Counter:
    """Ends a stream from the side of the caller once enough has come."""

    def __init__(self, size: int) -> None:
        self._left = size

    def __call__(self, piece: bytes) -> bool:
        self._left -= len(piece)
        if self._left < 0:
            raise KeyError
        return True
