"""Errors that the server sends.

`{"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}` is a
`ModelNotFoundError`. vLLM writes errors in five shapes: that one, the flat `{"object": "error", "message": ...}` of 0.8,
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
SUCCESSES = range(200, 300)
BAD_REQUEST = 400
NOT_FOUND = 404
PROXY_AUTH = 407
TIMED_OUT = 408
SERVER_ERRORS = 500
UNAVAILABLE = 503

CLASSES: dict[int, tuple[type[StatusError], str]] = {
    400: (BadRequestError, "change the request as the server says"),
    401: (AuthenticationError, "set api_key or VLLM_API_KEY to the server's --api-key"),
    403: (PermissionDeniedError, "ask the operator of the server, or of the proxy in front of it, for access"),
    404: (ModelNotFoundError, "check model against the server's /v1/models"),
    405: (ModelNotFoundError, "check that base_url is a vLLM server"),
    413: (BadRequestError, "send less, or raise the body limit of the proxy in front of the server"),
    422: (BadRequestError, "change the request as the server says"),
    429: (RateLimitedError, "send fewer requests at once, or raise max_retries"),
    501: (ServerFailureError, "use a model that supports this"),
    503: (
        ServerFailureError,
        "the server is overloaded or still loading: send fewer requests at once, or raise max_retries",
    ),
}

NO_TOOL_PARSER = ("requires --enable-auto-tool-choice and --tool-call-parser", "requires --tool-call-parser to be set")
NO_PATH = ("not found", "method not allowed")
"""Messages, in lower case, about a missing path and not a missing model."""

OVERFLOW_CODE = "context_length_exceeded"
"""The code of OpenAI and of gateways for a context that is too long."""

OVERFLOWS = (
    "maximum context length",
    "maximum model length",
    "max_model_len",
    "longer than the maximum",
    "prompt is too long",
    "exceeds the context window",
    OVERFLOW_CODE,
)
"""Messages, in lower case, of vLLM and of gateways, about a prompt or an answer that exceeds the context window."""

BY_MESSAGE = (
    ("is not a multimodal model", "send text only, or serve a multimodal model"),
    ("may be provided in one prompt", "send fewer, or raise --limit-mm-per-prompt of the server"),
    (
        "must be from one of the allowed domains",
        "put the bytes into a data: URL, or add the domain to --allowed-media-domains of the server",
    ),
    (
        "only supports one backend per engine",
        (
            "an earlier request, perhaps of another client, fixed the server's grammar backend: restart the server with "
            "--structured-outputs-config.backend xgrammar, which refuses schemas that need another one"
        ),
    ),
)
"""Messages, in lower case, and what to do about them: media that the server does not accept, constraints of another backend."""

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
"""The requested tokens in the server's messages; where there are two numbers, it is their sum."""

ANSWER_TOKENS = tuple(
    re.compile(pattern)
    for pattern in (
        r"is too large: (\d{1,12})\.",
        r"max_tokens=(\d{1,12})",
        r"requested (\d{1,12}) output tokens",
        r"in the messages, (\d{1,12}) in the completion",
    )
)
"""The requested tokens of the answer alone, in the server's messages."""

VALUES = (", 'input': ", ", input_value=")
"""Where a validation error begins to repeat its input."""


def error_from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    scrub: Callable[[str], str] = str,
    retry_after: float | None = None,
) -> VllmError:
    """Convert a response whose status is not 200, or whose body is not an answer, into an error.

    Args:
        status: The HTTP status.
        headers: The headers, their names in lower case.
        body: The body, or the beginning of it.
        scrub: Removes secrets from text.
        retry_after: Seconds the server asks to wait.

    Returns:
        The error to raise.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if status in SUCCESSES and (found := _error_under_success(body)) is not None:
        return error_from_event(found, scrub=scrub)
    text, param = server_text(body)
    if status in SUCCESSES:
        return ProtocolError(
            f"the server answered {status} with {kind or 'no content type'} instead of a chat completion: "
            f"{_shown(text, scrub)[:300]!r}; check base_url and the proxy in front of the server",
            status=status,
        )
    facts: dict[str, Any] = {"status": status, "request_id": headers.get("x-request-id"), "param": param}
    if retry_after is not None:
        facts["retry_after"] = retry_after
    return _status_error(status, _shown(text, scrub), facts, is_page=kind == "text/html")


def _error_under_success(body: bytes) -> Mapping[str, Any] | None:
    """Find an error that was sent with a success status."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_error = isinstance(value, Mapping) and (value.get("error") is not None or value.get("object") == "error")
    return value if is_error else None


def error_from_event(body: Mapping[str, Any], *, scrub: Callable[[str], str] = str) -> VllmError:
    """Convert an error that was sent in place of an answer, with the status 200, into an exception.

    Args:
        body: The event's JSON object.
        scrub: Removes secrets from text.

    Returns:
        The error to raise; only a 503 may be retried.
    """
    text, param = _parts(body)
    inner = body.get("error")
    code = inner.get("code") if isinstance(inner, Mapping) else body.get("code")
    if not isinstance(code, int) or code not in range(400, 600):
        code = BAD_REQUEST if _is_overflow(text) else SERVER_ERRORS
    facts = {"status": code, "param": param, "phase": "body"}
    said = "the server sent an error in place of an answer"
    error = _status_error(code, _shown(text, scrub), facts, said=said, code="in_stream_error")
    error.retryable = code == UNAVAILABLE
    return error


def server_text(body: bytes) -> tuple[str, str | None]:
    """Find the server's message in an error's body.

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
    text = message if isinstance(message, str) else json.dumps(message)
    if OVERFLOW_CODE in (value.get("code"), value.get("type")) and OVERFLOW_CODE not in text:
        text = f"{text} ({OVERFLOW_CODE})".lstrip()
    param = value.get("param")
    return text, param if isinstance(param, str) else None


def _shown(text: str, scrub: Callable[[str], str]) -> str:
    """Convert the server's text for a message: without input values, secrets and control characters, and shortened."""
    lines = [line for line in scrub(text[:READ_TEXT]).splitlines() if "errors.pydantic.dev" not in line]
    for mark in VALUES:
        lines = [before + " …" if value else before for before, value, _ in (line.partition(mark) for line in lines)]
    joined = " ".join(line.strip() for line in lines)
    clipped = joined if len(joined) <= MAX_TEXT else joined[:MAX_TEXT] + " …"
    return "".join(c if c.isprintable() else " " for c in clipped).strip()


def _status_error(
    status: int,
    text: str,
    facts: dict[str, Any],
    *,
    said: str | None = None,
    is_page: bool = False,
    code: str | None = None,
) -> VllmError:
    said = f"{said} ({status})" if said else f"the server answered {status}"
    said = f"{said}: {text}" if text else f"{said} without a message"
    if is_page:
        said = f"{said[:600]} (an HTML page, which a proxy sends and not vLLM)"
    if status == PROXY_AUTH:
        return ConnectionFailedError(
            f"the proxy requires a user name and password ({said}): set proxy_auth",
            **{**facts, "code": "proxy", "phase": "connect", "retryable": False},
        )
    if status == TIMED_OUT:
        return RequestTimeoutError(
            f"{said}; the server or a proxy timed out", **{"retryable": True, "phase": "write", **facts}
        )
    if status < SERVER_ERRORS:
        if any(sign in text for sign in NO_TOOL_PARSER):
            return ToolParserMissingError(
                f"{said}. Start the server with --enable-auto-tool-choice --tool-call-parser NAME, "
                'or leave tool_parser at "auto", and calls are parsed by the client',
                **facts,
            )
        lowered = text.lower()
        if _is_overflow(lowered):
            limit = LIMIT.search(lowered)
            if limit and _answer_tokens(lowered) >= int(limit[1]):
                return BadRequestError(
                    f"{said.rstrip('.')}. max_tokens alone exceeds the context window: lower it, or leave it out",
                    **{**facts, "code": code or f"http_{status}", "param": "max_tokens"},
                )
            return ContextOverflowError(
                f"{said.rstrip('.')}. Shorten the conversation, lower max_tokens, or serve with a larger --max-model-len",
                limit=int(limit[1]) if limit else None,
                requested=_requested(lowered),
                **facts,
            )
    kind, advice = CLASSES.get(status, (StatusError, "check the request"))
    if status >= SERVER_ERRORS and kind is StatusError:
        kind, advice = ServerFailureError, "look at the server's log, and try again later"
    if kind is ModelNotFoundError:
        facts["available"] = _aliases(text)
    advice = next((told for sign, told in BY_MESSAGE if sign in text.lower()), advice)
    if is_page:
        advice = "check base_url, and look at the log of the proxy in front of the server"
    if status == NOT_FOUND and text.lower() in NO_PATH:
        advice = "the server has no such path: check that base_url is a vLLM server, and that its model supports the endpoint"
    return kind(f"{said}; {advice}", **{"code": code or f"http_{status}", "retryable": status in RETRIED, **facts})


def _is_overflow(text: str) -> bool:
    return any(sign in text.lower() for sign in OVERFLOWS)


def _answer_tokens(text: str) -> int:
    """Read the requested tokens of the answer alone; 0 if the message does not have them."""
    found = next((match for pattern in ANSWER_TOKENS if (match := pattern.search(text))), None)
    return int(found[1]) if found else 0


def _requested(text: str) -> int | None:
    """Read the number of requested tokens from the server's message."""
    found = next((match for pattern in REQUESTED if (match := pattern.search(text))), None)
    return sum(int(number) for number in found.groups()) if found else None


def _aliases(text: str) -> tuple[str, ...]:
    """Read the served models from `Valid aliases: a, b.`."""
    _, found, names = text.partition("Valid aliases:")
    return tuple(name.strip() for name in names.strip().rstrip(".").split(",")) if found else ()
