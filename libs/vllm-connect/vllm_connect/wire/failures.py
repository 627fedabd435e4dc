"""What the server's error answers mean.

`{"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}` is a
`ModelNotFoundError`. vLLM spells errors in five shapes: that one, the flat `{"object": "error", "message": ...}` of 0.8,
`{"error": "Unauthorized"}`, `{"detail": "Not Found"}` and plain text; a proxy adds pages of HTML. In a stream an error is
an event of the first or second shape under a status of 200. Source: api_server.py and the exception handlers, vLLM
0.8.5 to 0.33.0.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from vllm_connect.errors import (
    AuthenticationError,
    BadRequestError,
    ContextOverflowError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitedError,
    ServerFailureError,
    StatusError,
    ToolParserMissingError,
    VllmError,
)

__all__ = ["MAX_TEXT", "failure", "in_stream_failure", "server_text"]

MAX_TEXT = 2048
"""Characters of the server's text that a message keeps."""

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = range(300, 400)
SERVER_ERRORS = 500

CLASSES: dict[int, tuple[type[StatusError], str]] = {
    400: (BadRequestError, "change the request as the server says"),
    401: (AuthenticationError, "set api_key or VLLM_API_KEY to the key the server was started with"),
    403: (PermissionDeniedError, "ask the operator of the server or of the proxy before it for access"),
    404: (ModelNotFoundError, "check model and base_url against the server's /v1/models"),
    405: (ModelNotFoundError, "check that base_url is a vLLM server"),
    413: (BadRequestError, "send less, or raise the body limit of the proxy before the server"),
    422: (BadRequestError, "change the request as the server says"),
    429: (RateLimitedError, "send less at once, or raise max_retries"),
    501: (ServerFailureError, "choose a model that can do this"),
}

NO_TOOL_PARSER = "requires --enable-auto-tool-choice and --tool-call-parser", "requires --tool-call-parser to be set"
OVERFLOWS = ("maximum context length", "maximum model length", "max_model_len", "longer than the maximum")


def failure(
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
            f"the server redirects to {_shown(place, scrub) or 'nowhere'} and redirects are not followed, because they "
            "would carry the key along: set base_url to the right address",
            code="redirect",
            status=status,
        )
    text, param = server_text(body)
    if status < 300:  # noqa: PLR2004 - a success that is no answer
        what = kind or "no content type"
        return ProtocolError(
            f"the server answered {status} with {what} instead of a chat completion: {_shown(text, scrub)!r}; "
            "check base_url, and the proxy before the server",
            status=status,
        )
    facts: dict[str, Any] = {"status": status, "request_id": headers.get("x-request-id"), "param": param}
    if retry_after is not None:
        facts["retry_after"] = retry_after
    return _status_error(status, _shown(text, scrub), facts, from_proxy=kind == "text/html")


def in_stream_failure(body: Mapping[str, Any], *, scrub: Callable[[str], str] = str) -> VllmError:
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
    error = _status_error(status, _shown(text, scrub), {"status": status, "param": param, "code": "in_stream_error"})
    error.retryable = status == 503  # noqa: PLR2004 - the one that vLLM calls safe to retry
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
        return body[: 4 * MAX_TEXT].decode("utf-8", "replace"), None
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
    """Make the server's text fit for a message: no secrets, no control characters, not endless."""
    text = scrub(text)
    clipped = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"
    return "".join(c if c.isprintable() else " " for c in clipped).strip()


def _status_error(status: int, text: str, facts: dict[str, Any], *, from_proxy: bool = False) -> StatusError:
    said = f"the server answered {status}: {text}" if text else f"the server answered {status} without a word"
    if from_proxy:
        return ServerFailureError(
            f"{said[:300]}; this is a web page, so it comes from a proxy and not from vLLM: look at the proxy's log",
            retryable=status in RETRIED,
            **{"code": f"http_{status}", **facts},
        )
    lowered = text.lower()
    if status < SERVER_ERRORS and any(sign in text for sign in NO_TOOL_PARSER):
        return ToolParserMissingError(
            f"{said}. Start the server with --enable-auto-tool-choice --tool-call-parser NAME, "
            'or leave tool_parser at "auto" and the calls are parsed here',
            **facts,
        )
    if status < SERVER_ERRORS and any(sign in lowered for sign in OVERFLOWS):
        limit, requested = _sizes(lowered)
        return ContextOverflowError(
            f"{said} Shorten the conversation, lower max_tokens, or serve with a larger --max-model-len",
            limit=limit,
            requested=requested,
            **facts,
        )
    kind, advice = CLASSES.get(status, (StatusError, "check the request"))
    if status >= SERVER_ERRORS and kind is StatusError:
        kind, advice = ServerFailureError, "look at the server's log, and try again later"
    if kind is ModelNotFoundError:
        facts["available"] = _aliases(text)
    if status == 408:  # noqa: PLR2004 - the one status that is a timeout
        facts["retryable"] = True
    return kind(f"{said}; {advice}", **{"code": f"http_{status}", "retryable": status in RETRIED, **facts})


def _numbers(text: str) -> list[int]:
    digits = "".join(c if c.isdigit() else " " for c in text)
    return [int(number) for number in digits.split() if len(number) < 12]  # noqa: PLR2004 - no window is larger


def _sizes(text: str) -> tuple[int | None, int | None]:
    """Read the context window and what was asked for from the server's sentence."""
    start = next((text.find(sign) for sign in OVERFLOWS if sign in text), 0)
    limit = next(iter(_numbers(text[start:])), None)
    for sign in ("your prompt contains", "your request has", "you requested", "contains at least"):
        if sign in text:
            return limit, next(iter(_numbers(text[text.find(sign) :])), None)
    return limit, None


def _aliases(text: str) -> tuple[str, ...]:
    """Read the models that the server says it has: `Valid aliases: a, b.`"""
    _, found, names = text.partition("Valid aliases:")
    return tuple(name.strip() for name in names.rstrip(". ").split(",")) if found else ()
