"""What the server's error answers mean.

`{"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}` is a
`ModelNotFoundError`. vLLM spells errors in five shapes: that one, the flat `{"object": "error", "message": ...}` of 0.8,
`{"error": "Unauthorized"}`, `{"detail": "Not Found"}` and plain text; a proxy adds pages of HTML. In a stream an error is
an event of the first or second shape under a status of 200. A validation error repeats the value it is about, which may
be the prompt, so values are left out. Source: api_server.py and the exception handlers, vLLM 0.8.5 to 0.33.0.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from vllm_connect.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    ContextOverflowError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    RequestTimeoutError,
    ServerFailureError,
    StatusError,
    ToolParserMissingError,
    VllmError,
)

__all__ = ["MAX_TEXT", "error_from_event", "error_from_response", "server_text"]

MAX_TEXT = 2048
"""Characters of the server's text that a message keeps."""

READ_TEXT = 65536
"""Characters of the server's text that are looked at."""

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = range(300, 400)
SUCCESSES = range(200, 300)
NOT_FOUND = 404
PROXY_AUTH = 407
TIMED_OUT = 408
SERVER_ERRORS = 500
UNAVAILABLE = 503

CLASSES: dict[int, tuple[type[StatusError], str]] = {
    400: (BadRequestError, "change the request as the server says"),
    401: (AuthenticationError, "set api_key or VLLM_API_KEY to the key the server was started with"),
    403: (PermissionDeniedError, "ask the operator of the server, or of the proxy before it, for access"),
    404: (ModelNotFoundError, "check model against the server's /v1/models"),
    405: (ModelNotFoundError, "check that base_url is a vLLM server"),
    413: (BadRequestError, "send less, or raise the body limit of the proxy before the server"),
    422: (BadRequestError, "change the request as the server says"),
    429: (RateLimitedError, "send less at once, or raise max_retries"),
    501: (ServerFailureError, "choose a model that can do this"),
    503: (ServerFailureError, "the server is busy or still loading: send less at once, or raise max_retries"),
}

NO_TOOL_PARSER = ("requires --enable-auto-tool-choice and --tool-call-parser", "requires --tool-call-parser to be set")
NO_PATH = ("not found", "method not allowed")
"""What the server says, in lower case, when it is the path that it does not have, and not the model."""

OVERFLOWS = ("maximum context length", "maximum model length", "max_model_len", "longer than the maximum")
"""What the server says, in lower case, of a prompt or an answer that does not fit."""

OF_MEDIA = (
    ("is not a multimodal model", "send text alone, or serve a model that takes media"),
    ("may be provided in one prompt", "send fewer, or raise --limit-mm-per-prompt of the server"),
    (
        "must be from one of the allowed domains",
        "put the bytes into a data: URL, or add the domain to --allowed-media-domains of the server",
    ),
)
"""What the server says, in lower case, of media that it does not take, and what to do about it."""

LIMIT = re.compile(r"(?:(?:context|model) length (?:is|of) |max_model_len ?[=(]? ?)(\d{1,12})")
REQUESTED = tuple(
    re.compile(pattern)
    for pattern in (
        r"your prompt contains (?:at least )?(\d{1,12}) input tokens",
        r"you requested (\d{1,12}) tokens",
        r"is too large: (\d{1,12})\..{0,200}? your request has (\d{1,12}) input tokens",
        r"total length (\d{1,12})",
        r"max_tokens=(\d{1,12})",
    )
)
"""What the server's sentences call the tokens asked for; where there are two numbers, it is their sum."""

VALUES = (", 'input': ", ", input_value=")
"""Where a validation error begins to repeat what it was given."""


def error_from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    scrub: Callable[[str], str] = str,
    retry_after: float | None = None,
) -> VllmError:
    """Read an answer whose status is not 200, or whose body is no answer.

    Args:
        status: The HTTP status.
        headers: The headers, their names in lower case.
        body: The body, or the beginning of it.
        scrub: Takes secrets out of text.
        retry_after: Seconds the server asks to wait.

    Returns:
        The error to raise.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if status in REDIRECTS:
        place = headers.get("location", "").partition("?")[0].rpartition("@")[2]
        return ProtocolError(
            f"the server redirects to {_shown(place, scrub) or 'nowhere'}, and redirects are not followed, because they "
            "would carry the key along: set base_url to the right address",
            code="redirect",
            status=status,
        )
    if status in SUCCESSES and (told := _told_under_success(body)) is not None:
        return error_from_event(told, scrub=scrub)
    text, param = server_text(body)
    if status in SUCCESSES:
        return ProtocolError(
            f"the server answered {status} with {kind or 'no content type'} instead of what was asked for: "
            f"{_shown(text, scrub)[:300]!r}; check base_url, and the proxy before the server",
            status=status,
        )
    facts: dict[str, Any] = {"status": status, "request_id": headers.get("x-request-id"), "param": param}
    if retry_after is not None:
        facts["retry_after"] = retry_after
    return _status_error(status, _shown(text, scrub), facts, is_page=kind == "text/html")


def _told_under_success(body: bytes) -> Mapping[str, Any] | None:
    """Find an error that came as if it were an answer."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_error = isinstance(value, Mapping) and (value.get("error") is not None or value.get("object") == "error")
    return value if is_error else None


def error_from_event(body: Mapping[str, Any], *, scrub: Callable[[str], str] = str) -> VllmError:
    """Read an error that came where an answer should be, under a status of 200.

    Args:
        body: The event's JSON object.
        scrub: Takes secrets out of text.

    Returns:
        The error to raise; only one that says 503 may be sent again.
    """
    text, param = _parts(body)
    inner = body.get("error")
    code = inner.get("code") if isinstance(inner, Mapping) else body.get("code")
    status = code if isinstance(code, int) and code in range(400, 600) else SERVER_ERRORS
    facts = {"status": status, "param": param, "phase": "body"}
    error = _status_error(status, _shown(text, scrub), facts, code="in_stream_error")
    error.retryable = status == UNAVAILABLE
    return error


def server_text(body: bytes) -> tuple[str, str | None]:
    """Find the server's words in an error's body.

    Args:
        body: The body in any of the shapes.

    Returns:
        The message, and the field of the request it is about.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body[:READ_TEXT].decode("utf-8", "replace"), None
    if isinstance(value, Mapping):
        return _parts(value)
    return (value if isinstance(value, str) else json.dumps(value)), None


def _parts(value: Mapping[str, Any]) -> tuple[str, str | None]:
    inner = value.get("error")
    if isinstance(inner, Mapping):
        value = inner
    elif isinstance(inner, str):
        return inner, None
    message = next((value[name] for name in ("message", "detail") if value.get(name)), "")
    param = value.get("param")
    return (message if isinstance(message, str) else json.dumps(message)), param if isinstance(param, str) else None


def _shown(text: str, scrub: Callable[[str], str]) -> str:
    """Make the server's text fit for a message: no values given to it, no secrets, no control characters, not endless."""
    lines = [line for line in scrub(text[:READ_TEXT]).splitlines() if "errors.pydantic.dev" not in line]
    for mark in VALUES:
        lines = [before + " …" if value else before for before, value, _ in (line.partition(mark) for line in lines)]
    joined = " ".join(line.strip() for line in lines)
    clipped = joined if len(joined) <= MAX_TEXT else joined[:MAX_TEXT] + " …"
    return "".join(c if c.isprintable() else " " for c in clipped).strip()


def _status_error(
    status: int, text: str, facts: dict[str, Any], *, is_page: bool = False, code: str | None = None
) -> VllmError:
    said = f"the server answered {status}: {text}" if text else f"the server answered {status} without a word"
    if is_page:
        said = f"{said[:600]} (a web page, so it comes from a proxy and not from vLLM: look at the proxy's log)"
    if status == PROXY_AUTH:
        return ConnectionFailedError(
            f"the proxy wants a user name and password ({said}): give them as proxy_auth",
            **{**facts, "code": "proxy", "phase": "connect", "retryable": False},
        )
    if status == TIMED_OUT:
        return RequestTimeoutError(
            f"{said}; the server or a proxy gave up waiting", **{"retryable": True, "phase": "write", **facts}
        )
    if status < SERVER_ERRORS:
        if any(sign in text for sign in NO_TOOL_PARSER):
            return ToolParserMissingError(
                f"{said}. Start the server with --enable-auto-tool-choice --tool-call-parser NAME, "
                'or leave tool_parser at "auto", and calls are parsed here',
                **facts,
            )
        lowered = text.lower()
        if any(sign in lowered for sign in OVERFLOWS):
            limit = LIMIT.search(lowered)
            return ContextOverflowError(
                f"{said} Shorten the conversation, lower max_tokens, or serve with a larger --max-model-len",
                limit=int(limit[1]) if limit else None,
                requested=_requested(lowered),
                **facts,
            )
    kind, advice = CLASSES.get(status, (StatusError, "check the request"))
    if status >= SERVER_ERRORS and kind is StatusError:
        kind, advice = ServerFailureError, "look at the server's log, and try again later"
    if kind is ModelNotFoundError:
        facts["available"] = _aliases(text)
    advice = next((told for sign, told in OF_MEDIA if sign in text.lower()), advice)
    if status == NOT_FOUND and text.lower() in NO_PATH:
        advice = "the server has no such path: check that base_url leads to vLLM, and what its model can do"
    return kind(f"{said}; {advice}", **{"code": code or f"http_{status}", "retryable": status in RETRIED, **facts})


def _requested(text: str) -> int | None:
    """Read from the server's sentence how many tokens were asked for."""
    found = next((match for pattern in REQUESTED if (match := pattern.search(text))), None)
    return sum(int(number) for number in found.groups()) if found else None


def _aliases(text: str) -> tuple[str, ...]:
    """Read the models that the server says it has, in `Valid aliases: a, b.`."""
    _, found, names = text.partition("Valid aliases:")
    return tuple(name.strip() for name in names.strip().rstrip(".").split(",")) if found else ()
