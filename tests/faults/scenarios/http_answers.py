"""What the server, or what stands before it, says in place of an answer."""

import gzip
import json
import time
from email.utils import formatdate

from vllm_connect import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContextOverflowError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    RequestTimeoutError,
    ServerFailureError,
    StatusError,
)

from tests.faults.fault import CANARY, PROMPT, Fault, Wants
from tests.faults.replies import error, piece, whole
from tests.faults.scenarios.connecting import FINE, both, then_fine
from tests.faults.server import Connection, Script, answer, close, head, send

__all__ = ["FAULTS"]

OVERFLOW = "This model's maximum context length is 4096 tokens. However, your prompt contains 5000 input tokens"


def says(status: str, body: object = b"", **headers: str) -> Script:
    """Answer with a status, and with an error in vLLM's shape if there is no body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(body if body != b"" else error(code=int(status[:3])), status, named)


def refused(number: str, title: str, wants: Wants, status: str, body: object = b"") -> Fault:
    """A status that is the end, however many retries there may be."""
    return Fault(number, title, wants, **both(says(status, body)), settings={"max_retries": 2})


def refusal(kind: type[StatusError], status: int, words: str = "engine died", **facts: object) -> Wants:
    return Wants(kind, {"status": status, "retryable": False, **facts}, says=words)


def retried(number: str, title: str, bad: Script, *, waits: float = 0.0) -> Fault:
    """A status that is tried again, and then there is an answer."""
    wants = Wants(text="Hi", requests=2, waits=waits)
    return Fault(number, title, wants, **then_fine(bad), settings={"max_retries": 2})


def after(number: str, title: str, value: str) -> Fault:
    """A wait that makes no sense is our own wait, which is short here."""
    bad = says("429 Too Many Requests", Retry_After=value)
    return Fault(
        number, title, Wants(text="Hi", requests=2), **then_fine(bad), settings={"max_retries": 1}, seconds=0.5
    )


def until_a_date(connection: Connection) -> None:
    """Ask to wait until the second after the next begins."""
    for act in says("429 Too Many Requests", Retry_After=formatdate(time.time() + 2, usegmt=True)):
        act(connection)


def no_answer(number: str, title: str, body: object, words: str = "", **headers: str) -> Fault:
    """A status of 200 over something that is no answer, which is not asked for again."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    wants = Wants(ProtocolError, says=words)
    return Fault(number, title, wants, **both(answer(body, headers=named)), settings={"max_retries": 2})


def redirected(number: str, title: str, location: str, status: str = "307 Temporary Redirect") -> Fault:
    """A redirect, which is never followed; the other place would be this same server."""
    wants = Wants(ProtocolError, {"code": "redirect"}, says=f"redirects to {location.partition(':{')[0]}")
    script: Script = [lambda connection: _redirect(connection, location, status)]
    return Fault(number, title, wants, **both(script), settings={"max_retries": 2})


def _redirect(connection: Connection, location: str, status: str) -> None:
    place = location.format(port=connection.server.port)
    connection.send(head(status, {"content-length": "0", "location": place}))


PACKED = gzip.compress(b"a" * 10 * 1024 * 1024) * 30

WHOLE = b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in (piece(content="Hi"), piece("stop")))
GZIP = {"content-encoding": "gzip"}
BAD_PARAM = {"error": {**error("too hot", 400)["error"], "param": "temperature"}}
ECHO = "1 validation error: {'type': 'string', 'loc': ('body', 'messages'), 'msg': 'no', 'input': '" + PROMPT + "'}"

FAULTS = (
    refused("F14", "400", refusal(BadRequestError, 400, "too hot", param="temperature"), "400 Bad Request", BAD_PARAM),
    refused(
        "F15",
        "400 for a prompt that is too long",
        refusal(ContextOverflowError, 400, "maximum context length", limit=4096, requested=5000),
        "400 Bad Request",
        error(OVERFLOW, 400),
    ),
    refused(
        "F16",
        "401 with a string",
        refusal(AuthenticationError, 401, "401: Unauthorized"),
        "401 Unauthorized",
        {"error": "Unauthorized"},
    ),
    refused("F17a", "403", refusal(PermissionDeniedError, 403), "403 Forbidden"),
    refused("F17b", "404", refusal(ModelNotFoundError, 404), "404 Not Found"),
    refused("F17c", "422", refusal(BadRequestError, 422, code="http_422"), "422 Unprocessable Entity"),
    retried("F18a", "408, then an answer", says("408 Request Timeout")),
    Fault(
        "F18b",
        "408, three times",
        Wants(RequestTimeoutError, {"status": 408}, says="timed out", requests=3),
        **both(says("408 Request Timeout")),
        settings={"max_retries": 2},
    ),
    refused("F19a", "409", refusal(StatusError, 409), "409 Conflict"),
    refused("F19b", "501", refusal(ServerFailureError, 501), "501 Not Implemented"),
    refused("F19c", "505", refusal(ServerFailureError, 505), "505 HTTP Version Not Supported"),
    refused("F20", "413", refusal(BadRequestError, 413, "send less", code="http_413"), "413 Content Too Large"),
    retried("F21", "429 that asks to wait a second", says("429 Too Many Requests", Retry_After="1"), waits=1.0),
    retried("F22a", "429 that asks to wait until a date", [until_a_date], waits=0.9),
    after("F22b", "Retry-After: nan", "nan"),
    after("F22c", "Retry-After: inf", "inf"),
    after("F22d", "Retry-After: -5", "-5"),
    after("F22e", "Retry-After: soon", "soon"),
    after("F22f", "Retry-After: a date long ago", "Wed, 21 Oct 2015 07:28:00 GMT"),
    after("F22g", "Retry-After: the year 100000", "Wed, 21 Oct 100000 07:28:00 GMT"),
    after("F22h", "Retry-After: 0", "0"),
    Fault(
        "F23",
        "429 that asks for 61 seconds",
        Wants(RateLimitedError, {"retry_after": 61}),
        **both(says("429 Too Many Requests", Retry_After="61")),
        settings={"max_retries": 2},
    ),
    retried("F24a", "500, then an answer", says("500 Internal Server Error")),
    retried("F24b", "502, then an answer", says("502 Bad Gateway")),
    retried("F24c", "503, then an answer", says("503 Service Unavailable")),
    retried("F24d", "504, then an answer", says("504 Gateway Timeout")),
    Fault(
        "F25",
        "503 for all: seven tries and no more",
        Wants(ServerFailureError, {"status": 503, "retryable": True}, requests=7),
        **both(says("503 Service Unavailable")),
        settings={"max_retries": 2},
    ),
    Fault(
        "F26",
        "a web page with 502",
        Wants(ServerFailureError, says=r"^.{,1000}\(an HTML page, which a proxy sends and not vLLM"),
        **both(says("502 Bad Gateway", b"<html>" + b"x" * 9000, content_type="text/html")),
    ),
    no_answer("F27a", "a web page with 200", b"<html>Welcome</html>", "text/html.*Welcome", content_type="text/html"),
    no_answer("F27b", "a JSON string with 200", b'"hello"'),
    no_answer("F27c", "a JSON list with 200", b"[1, 2]"),
    *(
        Fault(number, title, Wants(ProtocolError, requests=2), **both(answer(body)), settings={"max_retries": 2})
        for number, title, body in (
            ("F28a", "garbage with 200, asked for once more", b'{"choi'),
            ("F28b", "nothing with 200, asked for once more", b""),
        )
    ),
    Fault(
        "F29a",
        "an error with 200",
        Wants(ServerFailureError, {"code": "in_stream_error", "status": 500}, says="engine died"),
        **both(answer(error())),
        settings={"max_retries": 2},
    ),
    Fault(
        "F29b",
        "an error of the request with 200",
        Wants(BadRequestError, {"code": "in_stream_error", "status": 400}, says="engine died"),
        **both(answer(error(code=400))),
        settings={"max_retries": 2},
    ),
    no_answer("F30a", "no choices", {"choices": []}),
    no_answer("F30b", "choices that are null", {"choices": None}),
    no_answer("F30c", "an answer without choices", {"id": "x", "object": "chat.completion"}),
    Fault(
        "F31",
        "a body shorter than promised, then an answer",
        Wants(text="Hi", requests=2),
        unary=[
            [send(head(headers={"content-type": "application/json", "content-length": "500"}) + b'{"choices"'), close],
            FINE,
        ],
        why_not="a stream has no length",
        settings={"max_retries": 1},
    ),
    Fault(
        "F32a",
        "a gzip body",
        Wants(text="Hi"),
        unary=[answer(gzip.compress(json.dumps(whole("Hi")).encode()), headers=GZIP)],
        why_not="asked for in another way",
    ),
    Fault(
        "F32b",
        "a gzip stream that was not requested",
        Wants(text="Hi"),
        stream=[answer(gzip.compress(WHOLE), headers={"content-type": "text/event-stream", **GZIP})],
        why_not="asked for in another way",
    ),
    Fault(
        "F32c",
        "a compressed body that is not compressed",
        Wants(ProtocolError),
        **both(answer(b"no gzip", headers=GZIP)),
    ),
    Fault(
        "F32d",
        "a packing that nobody asked for",
        Wants(ProtocolError, {"code": "bad_encoding"}, says="'br'"),
        **both(answer(b"x", headers={"content-encoding": "br"})),
    ),
    Fault(
        "F33",
        "a gzip body of 0.3 MB that unpacks to 300",
        Wants(ProtocolError, {"code": "response_too_large"}),
        **both(answer(PACKED, headers=GZIP)),
        seconds=10,
    ),
    Fault("F34a", "204", Wants(ProtocolError), **both([send(head("204 No Content"))])),
    Fault("F34b", "206", Wants(ProtocolError), **both(answer(b"{}", "206 Partial Content"))),
    Fault(
        "F34c",
        "302 without a location",
        Wants(ProtocolError, {"code": "redirect"}, says="nowhere"),
        **both(answer(b"", "302 Found")),
    ),
    Fault("F34d", "101", Wants(ProtocolError), **both([send(head("101 Switching Protocols")), close])),
    redirected("F35a", "a redirect to another server", "http://127.0.0.2:{port}/v1/chat/completions"),
    redirected("F35b", "a redirect to the same server", "http://127.0.0.1:{port}/v2/chat/completions", "308 Moved"),
    redirected("F36", "a redirect from http to https", "https://127.0.0.1:{port}/v1/chat/completions", "301 Moved"),
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
        "F37c",
        "a header with a newline",
        Wants(ConfigurationError, says="x-request-id", early=True, requests=0),
        **both(FINE),
        settings={"headers": {"x-request-id": f"{CANARY}\r\nx: y"}},
    ),
    Fault(
        "F125",
        "an error with control characters",
        Wants(BadRequestError, says=r"a b \[31mc[^\n\r\x1b]*$"),
        **both(says("400 Bad Request", error("a\r\nb\x1b[31mc", 400))),
    ),
    Fault(
        "F126a",
        "an error that repeats the key, and is endless",
        Wants(BadRequestError, says=r"^.{,2500}$"),
        **both(says("400 Bad Request", error(f"bad key {CANARY}" + "x" * 100_000, 400))),
    ),
    Fault(
        "F126b",
        "an error that repeats the prompt",
        Wants(BadRequestError, says="'msg': 'no' …"),
        **both(says("400 Bad Request", error(ECHO, 400))),
    ),
)
