"""Hostile responses: valid ones put together at random, and then broken at random.

`responses(1000, seed=1)` is the same thousand byte streams in every run. `verdict_of_llhttp`, `verdict_of_h11` and
`verdict_of_http_client` say what other parsers make of one: a status and a body, or `refused` or `cut`.
"""

import http.client
import io
import random
from collections.abc import Iterator
from typing import Any, TypeAlias

import h11
import httptools

__all__ = ["CUT", "REFUSED", "Verdict", "responses", "verdict_of_h11", "verdict_of_http_client", "verdict_of_llhttp"]

Verdict: TypeAlias = "tuple[int, bytes] | str"
REFUSED, CUT = "refused", "cut"

STATUS_LINES = [
    *[b"HTTP/1.1 200 OK"] * 90, b"HTTP/1.0 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 200", b"HTTP/1.1 200 ",
    b"HTTP/1.1 503 \xe4", b"HTTP/1.1 999 x", b"HTTP/1.1 099 x", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1  200 OK",
    b"HTTP/2 200", b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"http/1.1 200 OK", b"HTTP/1.1 200 O\0K", b"HTTP/1.1 +20 OK",
    b"ICY 200 OK", b"SSH-2.0-x", b"PRI * HTTP/2.0", b"HTTP/1.1\t200 OK", b" HTTP/1.1 200 OK", b"",
    b"HTTP/1.1 2\xb20 OK", b"HTTP/1.1 101 x", b"HTTP/1.1 204 x", b"HTTP/1.1 304 x",
]  # fmt: skip
INTERIM = [*[b""] * 9, b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 x\r\nlink: a\r\n\r\n", b"HTTP/1.1 100 x\r\n"]
HEADERS = [
    b"content-type: application/json", b"server: uvicorn", b"x:", b"x: \t y \t", b"x : y", b": y", b"x", b"x\0: y", b"x: a\0b",
    b"x: a\rb", b"x: a\nb: c", b"x: \xff", b" x: y", b"x: y\r\n z", b"connection: close", b"connection: keep-alive",
    b"Content-Type: text/html", b"x" * 300 + b": y", b"x: " + b"y" * 3000, b"upgrade: h2c", b"trailer: x",
    b"content-encoding: gzip", b"content-encoding: br",
]  # fmt: skip
LENGTHS = [
    b"+%d", b"-%d", b"0x%x", b"%d, %d", b"%d ", b" %d", b"%d.0", b"%de0", b"1_%d", b"%d;a", b"", b"0%d", b"000000000000000000000%d",
    b"9" * 25, b"%d\xb2", b"%d\0",
]  # fmt: skip
CODINGS = [
    b"Chunked", b"CHUNKED", b"xchunked", b"chunked ", b"\tchunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip",
    b"identity", b"", b"chunked;q=1", b"chunkedx", b",chunked", b"chunked\0",
]  # fmt: skip
SIZES = [
    b"%X", b"0%x", b"00000%x", b"%x ", b" %x", b"%x;a=b", b'%x;a="b;c"', b"%x;", b"%x;a", b"0x%x", b"-%x", b"+%x", b"%x\t", b"%xg",
    b"1%x", b"f" * 17, b"", b"%x;\0", b"%x,",
]  # fmt: skip
ENDS = [b"\n", b"\r", b"\r\r\n", b"", b" \r\n", b"\r\n\r\n"]
JUNK = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b"0",
    b"\xff",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b";",
    b"GET / HTTP/1.1\r\n",
]


def responses(count: int, *, seed: int) -> Iterator[bytes]:
    """Generate byte streams, each of which ends with its connection."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
    for _ in range(count):
        yield _broken(chance, _response(chance))


def _rarely(chance: random.Random, usual: bytes, others: list[bytes], share: float = 0.12) -> bytes:
    return chance.choice(others) if chance.random() < share else usual


def _response(chance: random.Random) -> bytes:
    end = _rarely(chance, b"\r\n", ENDS, 0.02)
    lines = [chance.choice(STATUS_LINES), *chance.sample(HEADERS[:2], chance.randrange(3))]
    lines += [_rarely(chance, b"x-a: 1", HEADERS, 0.1) for _ in range(chance.randrange(3))]
    body = chance.randbytes(chance.randrange(30)) if chance.random() < 0.7 else b'{"a": 1}'
    kind = chance.randrange(10)
    if kind < 4:
        size = len(body) + (chance.choice((-1, 1, 5)) if chance.random() < 0.1 else 0)
        lines.append(b"content-length: " + _numbered(_rarely(chance, b"%d", LENGTHS), max(size, 0)))
    elif kind < 9:
        lines.append(b"transfer-encoding: " + _rarely(chance, b"chunked", CODINGS))
        body = _chunked(chance, body)
    if chance.random() < 0.06:
        lines.append(chance.choice((b"content-length: 3", b"transfer-encoding: chunked", lines[-1])))
    if chance.random() < 0.3:
        chance.shuffle(lines[1:])
    return chance.choice(INTERIM) + end.join([*lines, b"", b""]) + body


def _numbered(form: bytes, number: int) -> bytes:
    wanted = form.count(b"%d") + form.count(b"%x") + form.count(b"%X")
    return form % ((number,) * wanted) if wanted else form


def _chunked(chance: random.Random, body: bytes) -> bytes:
    out, at = b"", 0
    while at < len(body):
        piece = body[at : at + chance.randrange(1, 12)]
        at += len(piece)
        size = _numbered(_rarely(chance, b"%x", SIZES, 0.06), len(piece))
        out += size + _rarely(chance, b"\r\n", ENDS, 0.02) + piece + _rarely(chance, b"\r\n", ENDS, 0.02)
    trailers = b"" if chance.random() < 0.85 else chance.choice([*HEADERS, b"content-length: 3"]) + b"\r\n"
    return out + _rarely(chance, b"0", SIZES[-4:], 0.03) + b"\r\n" + trailers + b"\r\n"


def _broken(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + data[at + chance.randrange(1, 5) :]
            case 2:
                data = data[:at] + chance.choice(JUNK) + data[at:]
            case 3:
                data = data[:at] + chance.randbytes(1) + data[at + 1 :]
            case 4:
                data += chance.choice(JUNK)
            case _:
                data = data[:at] + data[max(at - 8, 0) : at] + data[at:]
    return data


# The witnesses


class _Bare:
    def __init__(self) -> None:
        self.body: bytes | None = None
        self.status = 0
        self.complete = False
        self.parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if not self.complete and status >= 200:
            self.status, self.body = status, b""

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body = (self.body or b"") + data

    def on_message_complete(self) -> None:
        self.complete = self.complete or self.body is not None


def verdict_of_llhttp(data: bytes) -> Verdict:
    """Read the first final response with llhttp alone."""
    bare = _Bare()
    lengths = b"content-length:", b"transfer-encoding:"
    try:
        bare.parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        if not bare.complete:
            return REFUSED
    if bare.body is None:
        return CUT
    head = data.lower().partition(b"\r\n\r\n")[0]
    is_open = not any(length in head for length in lengths)
    return (bare.status, bare.body) if bare.complete or is_open else CUT


def verdict_of_h11(data: bytes) -> Verdict:
    """Read the first final response with h11."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=65536)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            event: Any = connection.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, body
            elif not isinstance(event, h11.InformationalResponse):
                return CUT
    except h11.RemoteProtocolError as error:
        text = str(error)
        return CUT if "peer closed" in text or "peer unexpectedly closed" in text else REFUSED


class _Source:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def verdict_of_http_client(data: bytes) -> Verdict:
    """Read the first final response with `http.client`."""
    response = http.client.HTTPResponse(_Source(data), method="GET")  # type: ignore[arg-type]  # all that it uses
    try:
        response.begin()
        return response.status, response.read()
    except (http.client.RemoteDisconnected, http.client.IncompleteRead):
        return CUT
    except (http.client.HTTPException, ValueError, OverflowError, AssertionError):
        return REFUSED
