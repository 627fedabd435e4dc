"""What the server, or what stands before it, says in place of an answer."""

import gzip

from vllm_connect import (
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    ContextOverflowError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    ServerFailureError,
    StatusError,
)

from tests.faults.fault import CANARY, Fault, Wants
from tests.faults.replies import error, piece, whole
from tests.faults.scenarios.connecting import both
from tests.faults.server import Script, answer, close, head, send, stream

__all__ = ["FAULTS"]

FINE = answer(whole("Hi"))
FINE_STREAM = stream(piece(content="Hi"), piece("stop"))
OVERFLOW = "This model's maximum context length is 4096 tokens. However, your prompt contains 5000 input tokens"


def says(status: str, body: object = b"", **headers: str) -> Script:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(body if body != b"" else error(status), status, named)


def refused(number: str, title: str, kind: type[StatusError], status: str, body: object = b"") -> Fault:
    """A status that is the end, however many retries there may be."""
    return Fault(number, title, Wants(kind), **both(says(status, body)), settings={"max_retries": 2})


def retried(number: str, title: str, status: str, **headers: str) -> Fault:
    """A status that is tried again, and then there is an answer."""
    bad = says(status, **headers)
    wants = Wants(text="Hi", requests=2)
    return Fault(number, title, wants, stream=[bad, FINE_STREAM], unary=[bad, FINE], settings={"max_retries": 2})


def after(number: str, title: str, value: str) -> Fault:
    """A wait that makes no sense is our own wait."""
    bad = says("429 Too Many Requests", Retry_After=value)
    wants = Wants(text="Hi", requests=2)
    return Fault(number, title, wants, stream=[bad, FINE_STREAM], unary=[bad, FINE], settings={"max_retries": 1})


def no_answer(number: str, title: str, body: object, **headers: str) -> Fault:
    """A status of 200 over something that is no answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(number, title, Wants(ProtocolError), **both(answer(body, headers=named)))


PACKED = gzip.compress(b"a" * 10 * 1024 * 1024) * 30

FAULTS = (
    refused("F14", "400", BadRequestError, "400 Bad Request"),
    refused("F15", "400 for a prompt that is too long", ContextOverflowError, "400 Bad Request", error(OVERFLOW, 400)),
    refused("F16", "401 with a string", AuthenticationError, "401 Unauthorized", {"error": "Unauthorized"}),
    refused("F17a", "403", PermissionDeniedError, "403 Forbidden"),
    refused("F17b", "404", ModelNotFoundError, "404 Not Found"),
    refused("F17c", "422", BadRequestError, "422 Unprocessable Entity"),
    Fault(
        "F18",
        "408, then an answer",
        Wants(text="Hi", requests=2),
        stream=[says("408 Request Timeout"), FINE_STREAM],
        unary=[says("408 Request Timeout"), FINE],
        settings={"max_retries": 2},
    ),
    refused("F19a", "409", StatusError, "409 Conflict"),
    refused("F19b", "501", ServerFailureError, "501 Not Implemented"),
    refused("F19c", "505", ServerFailureError, "505 HTTP Version Not Supported"),
    refused("F20", "413", BadRequestError, "413 Content Too Large"),
    retried("F21", "429 that asks to wait 0 seconds", "429 Too Many Requests", Retry_After="0"),
    after("F22a", "Retry-After: nan", "nan"),
    after("F22b", "Retry-After: inf", "inf"),
    after("F22c", "Retry-After: -5", "-5"),
    after("F22d", "Retry-After: soon", "soon"),
    after("F22e", "Retry-After: a date long ago", "Wed, 21 Oct 2015 07:28:00 GMT"),
    after("F22f", "Retry-After: the year 100000", "Wed, 21 Oct 100000 07:28:00 GMT"),
    Fault(
        "F23",
        "429 that asks for two minutes",
        Wants(RateLimitedError),
        **both(says("429 Too Many Requests", Retry_After="120")),
        settings={"max_retries": 2},
    ),
    retried("F24a", "500, then an answer", "500 Internal Server Error"),
    retried("F24b", "502, then an answer", "502 Bad Gateway"),
    retried("F24c", "503, then an answer", "503 Service Unavailable"),
    retried("F24d", "504, then an answer", "504 Gateway Timeout"),
    Fault(
        "F25",
        "503 for all: three tries and no more",
        Wants(ServerFailureError, requests=3),
        **both(says("503 Service Unavailable")),
        settings={"max_retries": 2},
    ),
    Fault(
        "F26",
        "a web page with 502",
        Wants(ServerFailureError),
        **both(says("502 Bad Gateway", b"<html>" + b"x" * 9000, content_type="text/html")),
    ),
    no_answer("F27a", "a web page with 200", b"<html>Welcome</html>", content_type="text/html"),
    no_answer("F27b", "a JSON string with 200", b'"hello"'),
    no_answer("F27c", "a JSON list with 200", b"[1, 2]"),
    Fault(
        "F28",
        "garbage with 200, asked for once more",
        Wants(ProtocolError, requests=2),
        **both(answer(b'{"choi')),
        settings={"max_retries": 2},
    ),
    Fault("F29", "an error with 200", Wants(ServerFailureError), **both(answer(error()))),
    no_answer("F30a", "no choices", {"choices": []}),
    no_answer("F30b", "choices that are null", {"choices": None}),
    no_answer("F30c", "an answer without choices", {"id": "x", "object": "chat.completion"}),
    Fault(
        "F31",
        "a body shorter than promised",
        Wants(ConnectionFailedError),
        unary=[
            [send(head(headers={"content-type": "application/json", "content-length": "500"}) + b'{"choices"'), close]
        ],
        why_not="a stream has no length",
    ),
    Fault(
        "F32",
        "a packed body that is none",
        Wants(ProtocolError),
        unary=[answer(b"no gzip", headers={"content-encoding": "gzip"})],
        why_not="a stream of events is asked for unpacked",
    ),
    Fault(
        "F33",
        "a bomb: 300 MB packed in 0.3",
        Wants(ProtocolError),
        unary=[answer(PACKED, headers={"content-encoding": "gzip"})],
        why_not="a stream of events is asked for unpacked",
        seconds=10,
    ),
    Fault("F34a", "204", Wants(ProtocolError), **both([send(head("204 No Content"))])),
    Fault("F34b", "206", Wants(ProtocolError), **both(answer(b"{}", "206 Partial Content"))),
    Fault("F34c", "302 without a place", Wants(ProtocolError), **both(answer(b"", "302 Found"))),
    Fault(
        "F35",
        "a redirect to another server",
        Wants(ProtocolError, code="redirect"),
        **both(answer(b"", "307 Temporary Redirect", {"location": "http://127.0.0.1:1/v1/chat/completions"})),
    ),
    Fault(
        "F37a",
        "ten thousand headers",
        Wants(ProtocolError),
        **both([send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000 + b"\r\n"), close]),
    ),
    Fault(
        "F37b",
        "a header of a megabyte",
        Wants(ProtocolError),
        **both([send(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n"), close]),
    ),
    Fault(
        "F126",
        "an error that repeats the key",
        Wants(BadRequestError),
        **both(says("400 Bad Request", error(f"bad key {CANARY}", 400))),
    ),
    Fault(
        "F125",
        "an error with control characters",
        Wants(BadRequestError),
        **both(says("400 Bad Request", error("a\r\nb\x1b[31mc", 400))),
    ),
)
