"""What a server says is understood in all its shapes, and told without secrets, prompts or noise."""

import json
import pickle
import time

import pytest
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
from vllm_connect.protocol.error_responses import MAX_TEXT, error_from_event, error_from_response, server_text

JSON = {"content-type": "application/json"}


def nested(message: str, code: int = 400, **more: object) -> bytes:
    return json.dumps({"error": {"message": message, "type": "X", "param": None, "code": code, **more}}).encode()


RETRIED = {408, 425, 429, 500, 502, 503, 504}
CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    405: ModelNotFoundError,
    407: ConnectionFailedError,
    408: RequestTimeoutError,
    409: StatusError,
    413: BadRequestError,
    418: StatusError,
    422: BadRequestError,
    425: StatusError,
    429: RateLimitedError,
    500: ServerFailureError,
    501: ServerFailureError,
    502: ServerFailureError,
    503: ServerFailureError,
    504: ServerFailureError,
    505: ServerFailureError,
}


@pytest.mark.parametrize(("status", "kind"), CLASSES.items())
def test_classes(status: int, kind: type[VllmError]) -> None:
    error = error_from_response(status, {**JSON, "x-request-id": "r-1"}, nested("it failed", status, param="p"))
    assert type(error) is kind
    assert "it failed" in str(error)
    assert (error.status, error.request_id, error.param) == (status, "r-1", "p")
    assert error.retryable == (status in RETRIED)


def test_every_status_has_one_class_and_one_answer() -> None:
    for status in range(100, 600):
        error = error_from_response(status, {}, b"")
        assert isinstance(error, VllmError)
        assert error.retryable == (status in RETRIED)
        assert error.code
        assert str(error)


@pytest.mark.parametrize(
    ("body", "text", "param"),
    [
        (b'{"error": {"message": "m", "type": "t", "param": "tools", "code": 400}}', "m", "tools"),
        (b'{"object": "error", "message": "m", "type": "t", "param": null, "code": 400}', "m", None),
        (b'{"error": "Unauthorized"}', "Unauthorized", None),
        (b'{"detail": "Not Found"}', "Not Found", None),
        (b'{"detail": [{"loc": ["body"], "msg": "m"}]}', '[{"loc": ["body"], "msg": "m"}]', None),
        (b"upstream connect error", "upstream connect error", None),
        (b'"text"', "text", None),
        (b"[1]", "[1]", None),
        (b"", "", None),
        (b"\xff\xfe", "��", None),
        (b"{" * 5000, "{" * 5000, None),
    ],
)
def test_shapes(body: bytes, text: str, param: str | None) -> None:
    assert server_text(body) == (text, param)


@pytest.mark.parametrize(
    ("text", "limit", "requested"),
    [
        (
            (
                "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input "
                "tokens, which exceeds this limit even without any output tokens. (parameter=input_tokens, value=4097)"
            ),
            4096,
            4097,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, your prompt contains 9000 input tokens",
            4096,
            9000,
        ),
        ("This model's maximum context length is 10 tokens. However, your prompt contains 90 characters", 10, None),
        ("prompt is too long: 250000 tokens > 200000 maximum", None, None),
        ("Your input exceeds the context window of this model. Please adjust your input and try again.", None, None),
        (
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length is 4096 "
                "tokens and your request has 200 input tokens (4000 > 4096 - 200)."
            ),
            4096,
            4200,
        ),
        (
            (
                "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4900 in the "
                "messages, 100 in the completion). Please reduce the length of the messages or completion."
            ),
            4096,
            5000,
        ),
        ("The prompt (total length 5000) is longer than the maximum model length of 4096.", 4096, 5000),
        ("The decoder prompt is longer than the maximum model length", None, None),
    ],
)
def test_overflow(text: str, limit: int | None, requested: int | None) -> None:
    error = error_from_response(400, JSON, nested(text, param="input_tokens"))
    assert type(error) is ContextOverflowError
    assert (error.limit, error.requested, error.code, error.retryable) == (limit, requested, "context_overflow", False)
    assert "Shorten the conversation" in str(error)
    assert type(error_from_event(json.loads(nested(text)))) is ContextOverflowError


def test_overflow_is_recognised_by_its_code() -> None:
    body = {"error": {"message": "Too much.", "type": "invalid_request_error", "code": "context_length_exceeded"}}
    for error in (error_from_response(400, JSON, json.dumps(body).encode()), error_from_event(body)):
        assert type(error) is ContextOverflowError
        assert "Too much. (context_length_exceeded)" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=100000 cannot be greater than max_model_len=4096. Please request fewer output tokens.",
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 "
            "tokens and your request has 10 input tokens (5000 > 4096 - 10)."
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5010 tokens (10 in the "
            "messages, 5000 in the completion). Please reduce the length of the messages or completion."
        ),
    ],
)
def test_an_answer_larger_than_the_window_is_not_an_overflow_of_the_conversation(text: str) -> None:
    error = error_from_response(400, JSON, nested(text))
    assert (type(error), error.param, error.retryable) == (BadRequestError, "max_tokens", False)
    assert "max_tokens alone exceeds the context window" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        'tool_choice="required" requires --tool-call-parser to be set',
    ],
)
def test_no_tool_parser(text: str) -> None:
    error = error_from_response(400, JSON, nested(text))
    assert type(error) is ToolParserMissingError
    assert "--enable-auto-tool-choice --tool-call-parser NAME" in str(error)
    assert error.code == "tool_parser_missing"


@pytest.mark.parametrize(
    ("status", "text", "advice"),
    [
        (400, "demo is not a multimodal model", "send text only"),
        (
            400,
            "At most 1 image(s) may be provided in one prompt. (parameter=image)",
            "--limit-mm-per-prompt of the server",
        ),
        (
            400,
            "Structured output processing only supports one backend per engine. The engine is already using 'guidance'",
            "--structured-outputs-config.backend xgrammar",
        ),
        (422, "The URL must be from one of the allowed domains: ['a.test']. Input URL domain: b.test", "a data: URL"),
    ],
)
def test_a_refusal_says_what_to_do_about_it(status: int, text: str, advice: str) -> None:
    said = str(error_from_response(status, JSON, nested(text, status)))
    assert text in said
    assert advice in said.removeprefix(f"the server answered {status}: {text}")


def test_unknown_model_lists_the_known() -> None:
    error = error_from_response(404, JSON, nested("The model `x` does not exist. Valid aliases: demo, demo-2.", 404))
    assert (type(error), error.available) == (ModelNotFoundError, ("demo", "demo-2"))


def test_unknown_path_is_no_unknown_model() -> None:
    error = error_from_response(404, JSON, b'{"detail": "Not Found"}')
    assert "no such path: check that base_url" in str(error)


def test_web_page_of_a_proxy() -> None:
    page = b"<html><head><title>502 Bad Gateway</title></head>" + b"<p>nginx</p>" * 10_000
    error = error_from_response(502, {"content-type": "text/html; charset=utf-8"}, page)
    assert str(error).endswith("; check base_url, and look at the log of the proxy in front of the server")
    assert (type(error), error.retryable) == (ServerFailureError, True)
    assert "not vLLM" in str(error)
    assert len(str(error)) < MAX_TEXT


def test_wait_asked_for() -> None:
    assert error_from_response(429, {}, b"", retry_after=7.5).retry_after == 7.5
    assert error_from_response(503, {}, b"").retry_after is None


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({"content-type": "text/html"}, b"<html>Log in</html>", "text/html.*Log in"),
        (JSON, b'"text"', "text"),
        (JSON, b"[]", "application/json"),
        ({}, b"", "no content type"),
    ],
)
def test_success_that_is_none(headers: dict[str, str], body: bytes, words: str) -> None:
    error = error_from_response(200, headers, body)
    assert (type(error), error.code, error.retryable) == (ProtocolError, "protocol", False)
    with pytest.raises(ProtocolError, match=words):
        raise error


@pytest.mark.parametrize("body", [nested("engine died", 500), b'{"object": "error", "message": "engine died"}'])
def test_error_under_success(body: bytes) -> None:
    error = error_from_response(200, JSON, body)
    assert (type(error), error.code, error.retryable) == (ServerFailureError, "in_stream_error", False)
    assert "engine died" in str(error)


@pytest.mark.parametrize(
    ("body", "kind", "retryable"),
    [
        ({"error": {"message": "busy", "type": "ServiceUnavailableError", "code": 503}}, ServerFailureError, True),
        ({"error": {"message": "bad", "code": 400}}, BadRequestError, False),
        ({"error": {"message": "dead", "code": 500}}, ServerFailureError, False),
        ({"error": "dead"}, ServerFailureError, False),
        ({"object": "error", "message": "dead", "code": 50001}, ServerFailureError, False),
        ({"message": "dead"}, ServerFailureError, False),
        ({}, ServerFailureError, False),
    ],
)
def test_in_stream(body: dict[str, object], kind: type[VllmError], retryable: bool) -> None:
    error = error_from_event(body)
    assert (type(error), error.retryable, error.code, error.phase) == (kind, retryable, "in_stream_error", "body")


PROMPT = "my secret prompt"


@pytest.mark.parametrize(
    "text",
    [
        (
            "1 validation error:\n  {'type': 'list_type', 'loc': 'body.messages', 'msg': 'Input should be a valid list', "
            f"'input': '{PROMPT}'}}"
        ),
        (
            "1 validation error:\n  {'type': 'x', 'loc': 'body.messages', 'msg': 'm', 'input': "
            f"{{'role': 'user', 'content': \"{PROMPT}, 'input': no\"}}, 'ctx': {{'a': '{PROMPT}'}}}}"
        ),
        (
            f"2 validation errors for X\n0.Text\n  Input should be a valid dictionary [type=dict_type, input_value='{PROMPT}', "
            "input_type=str]\n    For further information visit https://errors.pydantic.dev/2.14/v/dict_type"
        ),
    ],
)
def test_prompt_is_not_repeated(text: str) -> None:
    error = error_from_response(400, JSON, nested(text))
    assert PROMPT not in str(error)
    assert "pydantic.dev" not in str(error)
    assert "Input should be" in str(error) or "'msg': 'm'" in str(error)


def test_secrets_and_control_characters_are_not_repeated() -> None:
    text = "key sk-canary is\r\nnot \x1b[31mvalid\x00 \u2028 here"
    error = error_from_response(401, JSON, nested(text, 401), scrub=lambda each: each.replace("sk-canary", "[secret]"))
    assert "sk-canary" not in str(error)
    assert str(error).isprintable()


def test_length_is_bounded_and_a_secret_at_the_cut_is_not_shown() -> None:
    text = "x" * (MAX_TEXT - 3) + "sk-canary" + "y" * 1_000_000
    started = time.process_time()
    error = error_from_response(500, JSON, nested(text, 500), scrub=lambda each: each.replace("sk-canary", ""))
    assert time.process_time() - started < 5
    assert MAX_TEXT < len(str(error)) < MAX_TEXT + 200
    assert "sk" not in str(error)


def test_errors_pickle() -> None:
    for status in (*CLASSES, 200, 302):
        error = error_from_response(
            status, {"retry-after": "1"}, nested("This model's maximum context length is 5 tokens")
        )
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)
