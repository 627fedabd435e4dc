"""Requests are written, responses are parsed whatever pieces they come in, and what is not HTTP/1.1 is refused."""

import re

import pytest
from hypothesis import given, strategies as st
from vllm_connect.transport.http1 import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_INTERIM_RESPONSES,
    MAX_OVERHEAD_BYTES,
    MalformedResponseError,
    ResponseHead,
    ResponseParser,
    join_headers,
    write_request,
)

from tests.connect.transport.hostile import (
    CUT,
    REFUSED,
    Verdict,
    responses,
    verdict_of_h11,
    verdict_of_http_client,
    verdict_of_llhttp,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def parsed(data: bytes, size: int = 10**9) -> tuple[ResponseParser, bytes]:
    """Parse a response that comes in pieces."""
    parser, body = ResponseParser(), b""
    for at in range(0, len(data), size):
        parser.feed(memoryview(data)[at : at + size])
        body += parser.take()
    return parser, body


def verdict(data: bytes, size: int = 10**9) -> Verdict:
    try:
        parser, body = parsed(data, size)
    except MalformedResponseError:
        return REFUSED
    return (parser.head.status, body) if parser.feed_eof() and parser.head else CUT


def problem(data: bytes, size: int = 10**9) -> str:
    with pytest.raises(MalformedResponseError) as caught:
        parsed(data, size)
    assert len(str(caught.value)) < 100
    return str(caught.value)


# Requests


def test_a_request_is_written() -> None:
    headers = {"host": "[::1]:8000", "accept": "*/*"}
    assert write_request("POST", "/v1/x", headers, b"{}") == (
        b"POST /v1/x HTTP/1.1\r\nhost: [::1]:8000\r\naccept: */*\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert write_request("GET", "/health", {"host": "h"}, b"") == b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n"
    assert write_request("POST", "/x", {}, b"").endswith(b"content-length: 0\r\n\r\n")


# Heads


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_head_is_parsed(size: int) -> None:
    parser, _ = parsed(OK + b"Server: uvicorn\r\nx-a:1\r\nX-A: \t2 \r\ncontent-length: 0\r\n\r\n", size)
    assert parser.head == ResponseHead(200, {"server": "uvicorn", "x-a": "1, 2", "content-length": "0"})
    assert parser.complete


def test_equal_values_of_a_header_count_once() -> None:
    pairs = [("Content-Type", "text/html"), ("content-type", "text/html"), ("x", "a"), ("X", "b"), ("x", "a")]
    assert join_headers(pairs) == {"content-type": "text/html", "x": "a, b, a"}
    assert join_headers([("transfer-encoding", "chunked")] * 2) == {"transfer-encoding": "chunked, chunked"}


def test_interim_responses_are_ignored() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    parser, body = parsed(interim + OK + b"content-length: 2\r\n\r\nHi", 5)
    assert (parser.head, body) == (ResponseHead(200, {"content-length": "2"}), b"Hi")


@pytest.mark.parametrize(
    ("head", "is_reusable"),
    [
        (OK, True),
        (OK + b"connection: Close\r\n", False),
        (OK + b"connection: foo, close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_the_server_decides_whether_the_connection_is_reusable(head: bytes, is_reusable: bool) -> None:
    parser, _ = parsed(head + b"content-length: 0\r\n\r\n")
    assert (parser.complete, parser.reusable) == (True, is_reusable)


REFUSED_RESPONSES = {
    "another protocol": b"SSH-2.0-OpenSSH_9\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "frame of HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "no line at all": b"Hello",
    "blank line first": b"\r\n" + OK + b"\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 No\r\n\r\n",
    "status of other digits": "HTTP/1.1 ²00 OK\r\n\r\n".encode("latin-1"),
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\n\r\n",
    "NUL in a value": OK + b"x: a\0b\r\n\r\n",
    "NUL in a name": OK + b"x\0: a\r\n\r\n",
    "bare CR": OK + b"x: a\rb\r\n\r\n",
    "bare LF": OK + b"x: a\ny: b\r\n\r\n",
    "no colon": OK + b"no colon\r\n\r\n",
    "no name": OK + b": no name\r\n\r\n",
    "space before the colon": OK + b"name : value\r\n\r\n",
    "folded": OK + b"x: a\r\n b\r\n\r\n",
    "length and chunks": OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunks and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    "the same length twice": OK + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "length of 5,000 digits": OK + b"content-length: " + b"9" * 5000 + b"\r\n\r\n",
    "length of 5,000 zeros": OK + b"content-length: " + b"0" * 5000 + b"\r\n\r\n",
    "signed length": OK + b"content-length: +3\r\n\r\nabc",
    "hexadecimal length": OK + b"content-length: 0x3\r\n\r\nabc",
    "no length": OK + b"content-length: \r\n\r\nabc",
    "xchunked": OK + b"transfer-encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunked twice": OK + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "gzip as a transfer coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": OK + b"transfer-encoding: identity\r\n\r\nabc",
    "chunk size that is no number": CHUNKED + b"zz\r\n",
    "negative chunk size": CHUNKED + b"-1\r\n",
    "chunk size with a prefix": CHUNKED + b"0x5\r\n",
    "chunk size with an underscore": CHUNKED + b"1_0\r\n",
    "empty chunk size": CHUNKED + b"\r\n",
    "chunk size over 64 bits": CHUNKED + b"11112222333344445\r\n",
    "chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n",
    "chunk ended by LF": CHUNKED + b"3\r\nabc\n\n",
    "bad trailer": CHUNKED + b"0\r\nx y\r\n\r\n",
}


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("data", REFUSED_RESPONSES.values(), ids=REFUSED_RESPONSES)
def test_what_is_not_http_1_1_is_refused(data: bytes, size: int) -> None:
    assert problem(data, size)


@pytest.mark.parametrize("cut", range(len(OK + b"a: b\r\n\r\n")))
def test_a_head_that_breaks_off_is_not_complete(cut: int) -> None:
    parser, _ = parsed((OK + b"a: b\r\n\r\n")[:cut])
    assert (parser.head, parser.started) == (None, cut > 0)
    assert not parser.feed_eof()


# Limits


@pytest.mark.parametrize("size", [1000, 65536, 10**9])
def test_the_largest_head_is_accepted_and_no_larger_one(size: int) -> None:
    head = OK + b"content-length: 0\r\nx: %s\r\n\r\n"
    room = MAX_HEAD_BYTES - len(head) + 2
    parser, _ = parsed(head % (b"a" * room), size)
    assert parser.complete
    assert "larger than" in problem(head % (b"a" * (room + 1)), size)


def test_as_many_headers_as_the_limit_are_accepted_and_no_more() -> None:
    many = b"x: 1\r\n" * (MAX_HEADERS - 1) + b"content-length: 0\r\n"
    assert parsed(OK + many + b"\r\n")[0].complete
    assert "more than" in problem(OK + many + b"x: 1\r\n\r\n")
    assert parsed(CHUNKED + b"0\r\n" + b"x: 1\r\n" * MAX_HEADERS + b"\r\n")[0].complete
    assert "more than" in problem(CHUNKED + b"0\r\n" + b"x: 1\r\n" * (MAX_HEADERS + 1) + b"\r\n")


def test_as_many_interim_responses_as_the_limit_are_accepted_and_no_more() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    final = OK + b"content-length: 0\r\n\r\n"
    assert parsed(interim * MAX_INTERIM_RESPONSES + final)[0].complete
    assert "interim" in problem(interim * (MAX_INTERIM_RESPONSES + 1) + final)


@pytest.mark.parametrize(
    "data", [b"3;" + b"a" * 10**6, b"0\r\nx: " + b"a" * 10**6, b"0" * 10**6], ids=["extension", "trailer", "zeros"]
)
@pytest.mark.parametrize("size", [1, 1000, 65536])
def test_chunk_extensions_and_trailers_without_end_are_refused(data: bytes, size: int) -> None:
    parser, fed = ResponseParser(), 0
    parser.feed(CHUNKED)
    while fed <= MAX_OVERHEAD_BYTES - size:
        parser.feed(data[fed : fed + size])
        fed += size
    with pytest.raises(MalformedResponseError, match="larger than"):
        parser.feed(data[fed : fed + size + 1])


# Bodies

BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@given(BODIES, st.lists(st.integers(1, 9), min_size=1), st.sampled_from([b"", b"X-Trailer: 1\r\n"]), st.booleans())
def test_chunks_are_parsed_in_any_pieces(
    chunks: list[bytes], sizes: list[int], trailer: bytes, extension: bool
) -> None:
    mark = b";name=value" if extension else b""
    data = CHUNKED + b"".join(b"%X%s\r\n%s\r\n" % (len(each), mark, each) for each in chunks)
    data += b"0\r\n" + trailer + b"\r\n"
    parser, body, at = ResponseParser(), b"", 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        assert not parser.complete
        parser.feed(data[at : at + size])
        body += parser.take()
        at += size
    assert (body, parser.complete, parser.reusable) == (b"".join(chunks), True, True)


def test_spaces_after_a_chunk_size_are_accepted() -> None:
    assert verdict(CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n") == (200, b"abc")


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\n\r\n", b"garbage", b"H", b"\0"])
@pytest.mark.parametrize(
    "end", [b"content-length: 1\r\n\r\na", b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("apart", [False, True])
def test_data_after_a_response_makes_the_connection_unusable(surplus: bytes, end: bytes, apart: bool) -> None:
    parser = ResponseParser()
    for piece in (OK + end, surplus) if apart else (OK + end + surplus,):
        parser.feed(piece)
    assert (parser.take(), parser.complete, parser.reusable) == (b"a", True, False)


def test_only_a_body_without_a_length_ends_with_the_connection() -> None:
    for data, is_complete in (
        (OK + b"\r\nabc", True),
        (OK + b"content-length: 4\r\n\r\nabc", False),
        (CHUNKED + b"3\r\nabc\r\n", False),
        (OK + b"content-length: 3\r\n\r\nabc", True),
    ):
        parser, body = parsed(data)
        assert (body, parser.feed_eof(), parser.reusable) == (b"abc", is_complete, False)


def test_responses_follow_one_another() -> None:
    parser = ResponseParser()
    for status in (200, 404, 500):
        parser.start()
        assert (parser.head, parser.complete, parser.started) == (None, False, False)
        parser.feed(b"HTTP/1.1 %d x\r\ncontent-length: 3\r\n\r\n%d" % (status, status))
        assert parser.head == ResponseHead(status, {"content-length": "3"})
        assert (parser.take(), parser.complete, parser.reusable) == (b"%d" % status, True, True)


def test_a_body_can_be_taken_after_the_parser_was_closed() -> None:
    parser = ResponseParser()
    parser.feed(OK + b"content-length: 5\r\n\r\nabc")
    parser.close()
    assert (parser.take(), parser.complete, parser.reusable) == (b"abc", False, False)


# Hostile responses

HOSTILE = 5_000
"""Generated responses for each of four seeds: twenty thousand."""

STRICTER = re.compile(
    r"its transfer coding is not 'chunked'|it is HTTP/(2\.0|0\.9)|its reason has a control character|its status is \d+"
    r"|its content length has too many digits|the response does not begin with HTTP/1\.1"
)
"""What llhttp accepts and we refuse; the page on the HTTP core lists it."""

SPACES = re.compile(rb"\r\n[0-9A-Fa-f]+[ \t]+\r\n")
BLANK = re.compile(rb"\r\n\r\n\r?\nHTTP")


def means_another_response(data: bytes, status: int) -> bool:
    """Check whether `http.client` reads another response: it ignores only 100, and reads a body where none can be."""
    codings = re.findall(rb"(?i)transfer-encoding:\s*(.*?)\r?\n", data)
    return status < 200 or status in (204, 304) or any(coding.lower() != b"chunked" for coding in codings)


@pytest.mark.parametrize("seed", range(4))
def test_hostile_responses_mean_what_other_parsers_make_of_them(seed: int) -> None:
    accepted = 0
    for data in responses(HOSTILE, seed=seed):
        ours = verdict(data)
        assert ours == verdict(data, 1) == verdict(data, 7), data
        llhttp, witness, sloppy = verdict_of_llhttp(data), verdict_of_h11(data), verdict_of_http_client(data)
        if isinstance(ours, str):
            if ours == REFUSED and not isinstance(llhttp, str):
                assert STRICTER.fullmatch(problem(data)), data
            continue
        accepted += 1
        assert witness == ours or (witness == REFUSED and BLANK.search(data)), data
        assert llhttp in (ours, CUT) or (llhttp == REFUSED and SPACES.search(data)), data
        assert sloppy == ours or isinstance(sloppy, str) or means_another_response(data, sloppy[0]), data
    assert accepted > HOSTILE / 5
