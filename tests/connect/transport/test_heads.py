"""The head of a message, written and read."""

import io

import pytest
from vllm_connect.errors import ProtocolError
from vllm_connect.transport.heads import MAX_HEADERS, MAX_LINE, RawHead, read_raw_head, write_request

OK = b"HTTP/1.1 200 OK\r\n"


def read(data: bytes) -> RawHead:
    return read_raw_head(io.BytesIO(data).readline)


def test_a_head_is_read() -> None:
    head = read(OK + b"Server: uvicorn\r\nx-a:1\r\nX-A: \t2 \r\n\r\nbody")
    assert head == RawHead(200, [("Server", "uvicorn"), ("x-a", "1"), ("X-A", "2")], lasting=True)


def test_bare_line_ends_an_empty_reason_and_a_folded_value_are_taken() -> None:
    assert read(b"HTTP/1.1 404\nx: a\n  b\n\n") == RawHead(404, [("x", "a b")], lasting=True)


def test_interim_answers_are_passed_over() -> None:
    assert (
        read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK + b"\r\n").headers == []
    )
    assert read(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").status == 101


@pytest.mark.parametrize(
    ("data", "lasting"),
    [
        (OK + b"\r\n", True),
        (OK + b"connection: Close\r\n\r\n", False),
        (OK + b"connection: foo, close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", True),
    ],
)
def test_the_server_says_whether_the_connection_lasts(data: bytes, lasting: bool) -> None:
    assert read(data).lasting is lasting


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 ²00 OK\r\n\r\n".encode("latin-1"),
        OK + b"no colon\r\n\r\n",
        OK + b": no name\r\n\r\n",
        OK + b"name : value\r\n\r\n",
        OK + b" folded onto nothing\r\n\r\n",
        b"H" * (MAX_LINE + 1),
        OK + b"x: " + b"a" * MAX_LINE + b"\r\n\r\n",
        OK + b"x: 1\r\n" * (MAX_HEADERS + 1) + b"\r\n",
    ],
)
def test_what_is_no_http_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        read(data)
    assert raised.value.code == "bad_http"
    assert len(raised.value.message) < 200


@pytest.mark.parametrize("cut", range(len(OK + b"a: b\r\n\r\n")))
def test_a_head_that_breaks_off_is_a_lost_connection(cut: int) -> None:
    with pytest.raises(ConnectionResetError):
        read((OK + b"a: b\r\n\r\n")[:cut])


def test_the_most_is_taken() -> None:
    assert len(read(OK + b"x: 1\r\n" * MAX_HEADERS + b"\r\n").headers) == MAX_HEADERS
    assert len(read(OK + b"x: " + b"a" * (MAX_LINE - 5) + b"\r\n\r\n").headers[0][1]) == MAX_LINE - 5


def test_a_request_is_written() -> None:
    assert write_request("POST", "/v1/x", "[::1]:8000", {"accept": "*/*"}, b"{}") == (
        b"POST /v1/x HTTP/1.1\r\nhost: [::1]:8000\r\naccept: */*\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert write_request("GET", "/health", "h", {}, b"") == b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n"
    assert write_request("POST", "/x", "h", {}, b"").endswith(b"content-length: 0\r\n\r\n")
