r"""HTTP/1.1 without I/O: requests become bytes, bytes become responses.

`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}` is the status 200, one header and the body `{}`. The bytes are parsed by llhttp,
the parser of Node.js, in its strict mode. What llhttp accepts and a client should not is refused here: a protocol that is
not HTTP/1, an unknown transfer coding, control characters in the reason, and heads, chunk extensions and trailers without
end.

Source: RFC 9112.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NoReturn

import httptools
from msgspec import Struct

__all__ = [
    "MAX_HEADERS",
    "MAX_HEAD_BYTES",
    "MalformedResponseError",
    "ResponseHead",
    "ResponseParser",
    "join_headers",
    "write_request",
]

MAX_HEAD_BYTES = 65536
"""Largest head of a response, together with its interim responses."""
MAX_HEADERS = 100
MAX_INTERIM_RESPONSES = 10
MAX_OVERHEAD_BYTES = 65536
"""Most bytes of chunk sizes, chunk extensions and trailers without a byte of body between them."""
MAX_LENGTH_DIGITS = 20

FIRST_FINAL_STATUS = 200
SWITCHING_PROTOCOLS = 101
LEAST_STATUS = 100
FIRST_ERROR = 400
REQUEST_TIMEOUT = 408
VERSIONS = frozenset({"1.0", "1.1"})
FIRST_BYTE = ord("H")
"""Every response starts with `HTTP/`; llhttp also takes blank lines and the protocols RTSP and ICE."""

CONTROL_CHARACTER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class MalformedResponseError(Exception):
    """The bytes are not HTTP/1.1, or exceed a limit; the message says why."""


class ResponseHead(Struct, frozen=True):
    """The status and the headers of a response.

    Attributes:
        status: The status code, `200`.
        headers: The headers, their names in lower case; see `join_headers`.
    """

    status: int
    headers: Mapping[str, str]

    def is_idle_timeout(self) -> bool:
        """Check whether the server gave up waiting for a request and closes the connection; it has read none."""
        return self.status == REQUEST_TIMEOUT and self.headers.get("connection", "").lower() == "close"


def join_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Build a mapping from headers in order.

    Args:
        headers: Names and values; a name may be repeated.

    Returns:
        The values by lower-case name. Different values of one name are joined by a comma; equal ones count once, but for
        transfer codings, which may have been applied twice.
    """
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        known = joined.get(key)
        repeated = known == value and key != "transfer-encoding"
        joined[key] = value if known is None or repeated else f"{known}, {value}"
    return joined


def write_request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Write a request.

    Args:
        method: `GET` or `POST`.
        target: The path.
        headers: Checked names and values, `host` among them.
        body: The body, empty for none.

    Returns:
        The bytes to send.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "\r\n"]).encode("ascii") + body


class ResponseParser:
    """Parses the responses of one connection, one after the other.

    `start` begins a response, `feed` takes what was received, and `take` returns the body received so far.

    Attributes:
        head: The head of the final response, None before it is complete.
        complete: The response has ended.
        reusable: The connection can carry another request once the response is complete.
        started: Anything was received since `start`.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # called by httptools; a builtin costs least for each chunk
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)  # which some servers send
        self.reusable = True
        self.start()

    def start(self) -> None:
        """Begin a response; the one before it is complete."""
        self._pieces.clear()
        self._headers: list[tuple[bytes, bytes]] = []
        self._fields = 0
        self._interim = 0
        self._overhead = 0
        self._problem = ""
        self._until_end = False
        self.head: ResponseHead | None = None
        self.complete = False
        self.started = False

    def close(self) -> None:
        """Release the parser, which refers to this object; the body can still be taken."""
        self._parser = None
        self.reusable = False

    def feed(self, data: bytes | memoryview) -> None:
        """Parse bytes as they were received; what follows the response makes the connection unusable.

        Raises:
            MalformedResponseError: They are not HTTP/1.1, or exceed a limit.
        """
        if self.head is None and data and not self.complete:
            if not self.started and data[0] != FIRST_BYTE:
                raise self._malformed("the response does not begin with HTTP/1.1")
            room = MAX_HEAD_BYTES - self._overhead
            self._execute(data[:room])
            if self.head is None:
                self._overhead += min(room, len(data))
                if self._overhead == MAX_HEAD_BYTES:
                    raise self._malformed(f"its head is larger than {MAX_HEAD_BYTES} bytes")
            data = data[room:]
        if not data:
            return
        known = len(self._pieces)
        self._execute(data)
        self._overhead = 0 if len(self._pieces) > known else self._overhead + len(data)
        if self._overhead > MAX_OVERHEAD_BYTES and not self.complete:
            raise self._malformed(f"its chunk extensions or trailers are larger than {MAX_OVERHEAD_BYTES} bytes")

    def feed_eof(self) -> bool:
        """Handle the end of the connection.

        Returns:
            Whether the response is complete: a body without a length ends here.
        """
        self.reusable = False
        self.complete = self.complete or self._until_end
        return self.complete

    def is_refused(self) -> bool:
        """Check whether the server has answered with an error, and need not read the rest of the request."""
        return self.head is not None and self.head.status >= FIRST_ERROR

    def has_body(self) -> bool:
        """Check whether there is body to take."""
        return bool(self._pieces)

    def take(self) -> bytes:
        """Return the body that was received since the last call."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return data

    def _execute(self, data: bytes | memoryview) -> None:
        self.started = True
        if self.complete or self._parser is None:
            self.reusable = False
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            problem = self._problem or str(error)
        else:
            return
        self.reusable = False
        if not self.complete:
            raise self._malformed(problem)

    def _malformed(self, problem: str) -> MalformedResponseError:
        self.close()
        return MalformedResponseError(problem)

    # Callbacks of httptools

    def on_message_begin(self) -> None:
        """Refuse a second response."""
        if self.complete:
            self._fail("a response that was not asked for")

    def on_status(self, reason: bytes) -> None:
        """Check the reason; llhttp takes any bytes."""
        if CONTROL_CHARACTER.search(reason):
            self._fail("its reason has a control character")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header, or a trailer, which is ignored."""
        self._fields += 1
        if self._fields > MAX_HEADERS:
            self._fail(f"it has more than {MAX_HEADERS} headers")
        if self.head is None:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Handle the end of a head."""
        if self._parser is None:
            return
        version, status = self._parser.get_http_version(), self._parser.get_status_code()
        if version not in VERSIONS:
            self._fail(f"it is HTTP/{version}")
        if status < LEAST_STATUS or status == SWITCHING_PROTOCOLS:
            self._fail(f"its status is {status}")
        headers = join_headers(
            (name.decode("latin-1"), value.strip(b" \t").decode("latin-1")) for name, value in self._headers
        )
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if length is not None and len(length) > MAX_LENGTH_DIGITS:
            self._fail("its content length has too many digits")
        if coding is not None and coding.lower() != "chunked":
            self._fail("its transfer coding is not 'chunked'")
        self._headers = []
        self._fields = 0
        if status < FIRST_FINAL_STATUS:
            self._interim += 1
            if self._interim > MAX_INTERIM_RESPONSES:
                self._fail(f"more than {MAX_INTERIM_RESPONSES} interim responses precede it")
            return
        self.head = ResponseHead(status, headers)
        self._overhead = 0
        self._until_end = length is None and coding is None

    def on_message_complete(self) -> None:
        """Handle the end of a response; an interim one is followed by another."""
        if self.head is not None and self._parser is not None:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()

    def _fail(self, problem: str) -> NoReturn:
        self._problem = problem
        raise MalformedResponseError(problem)
