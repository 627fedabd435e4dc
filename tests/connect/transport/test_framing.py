"""Bodies are found and unpacked whatever pieces they come in, and not a byte more than allowed."""

import gzip
import os
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vllm_connect.config.config import VllmConfig
from vllm_connect.errors import ConnectionFailedError, ProtocolError
from vllm_connect.transport.framing import MAX_BODY_BYTES, Chunked, Counted, Gzip, Limit, Open, framing_of

from tests.connect.transport.conftest import ASK, CHAT, Carry
from tests.faults.server import FaultServer, answer, head, send, trickle

BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@given(BODIES, st.lists(st.integers(1, 9), min_size=1), st.sampled_from([b"", b"X-Trailer: 1\r\n"]), st.booleans())
def test_chunks_in_any_pieces(chunks: list[bytes], sizes: list[int], trailer: bytes, extension: bool) -> None:
    mark = b";name=value" if extension else b""
    wire = b"".join(b"%X%s\r\n%s\r\n" % (len(each), mark, each) for each in chunks) + b"0\r\n" + trailer + b"\r\n"
    framing = Chunked()
    body, at = b"", 0
    while at < len(wire):
        size = sizes[at % len(sizes)]
        assert not framing.ended
        body += framing.feed(wire[at : at + size])
        at += size
    assert (body, framing.ended, framing.surplus) == (b"".join(chunks), True, False)


def fed(framing: Chunked, wire: bytes, size: int) -> bytes:
    return b"".join(framing.feed(wire[at : at + size]) for at in range(0, len(wire), size))


@pytest.mark.parametrize(
    "wire",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"0x5\r\n",
        b"1_0\r\n",
        b" \r\n",
        b"11112222333344445\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n\n",
        b"5" * 5000,
        b"0\r\n" + b"x" * 70_000,
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunks_that_are_none(wire: bytes, size: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        fed(Chunked(), wire, size)
    assert caught.value.code == "bad_http"


def test_surplus() -> None:
    for framing, wire in ((Chunked(), b"1\r\na\r\n0\r\n\r\nHTTP"), (Counted(1), b"ab")):
        assert framing.feed(wire) == b"a"
        assert framing.ended
        assert framing.surplus


def test_end_of_the_connection() -> None:
    assert Open().eof()
    assert not Counted(1).eof()
    assert not Chunked().eof()
    assert Counted(0).ended


def test_choice() -> None:
    assert isinstance(framing_of({"transfer-encoding": "gzip, Chunked", "content-length": "3"}), Chunked)
    assert isinstance(framing_of({"content-length": "3"}), Counted)
    assert isinstance(framing_of({}), Open)
    for length in ("-1", "1e3", "², 3", ""):
        with pytest.raises(ProtocolError):
            framing_of({"content-length": length})


@given(BODIES, st.integers(1, 50))
def test_gzip_in_any_pieces(chunks: list[bytes], size: int) -> None:
    packed = gzip.compress(b"".join(chunks))
    unpack = Gzip()
    body = b"".join(piece for at in range(0, len(packed), size) for piece in unpack.feed(packed[at : at + size]))
    assert (body, unpack.complete()) == (b"".join(chunks), True)


def test_limit() -> None:
    limit = Limit(10)
    assert limit.take(b"x" * 10)
    with pytest.raises(ProtocolError) as caught:
        limit.take(b"x")
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
