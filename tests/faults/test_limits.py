"""Every limit: one at it passes, one beyond it is an error that says so."""

import json
from typing import Any

import pytest
from vllm_connect import (
    ChatRequest,
    Completion,
    Finish,
    ProtocolError,
    RateLimitedError,
    RequestTimeoutError,
    ServerFailureError,
    ToolCallDelta,
    VllmClient,
    VllmConfig,
    fold,
)
from vllm_connect.protocol.error_responses import MAX_TEXT
from vllm_connect.protocol.sse import MAX_EVENT_BYTES, SSEDecoder
from vllm_connect.protocol.tool_calls import MAX_CALLS
from vllm_connect.response.tool_arguments import MAX_BYTES, MAX_DEPTH, ArgumentsError, read_arguments
from vllm_connect.transport.reply import MAX_BODY_BYTES

from tests.faults.server import FaultServer, Script, answer, stall, stream

HELLO = ChatRequest(messages=[{"role": "user", "content": "Hi"}], model="demo")


def complete(script: Script, *, streaming: bool = False, **settings: Any) -> tuple[Completion, int]:
    """Ask, and count the requests."""
    request = HELLO.model_copy(update={"stream": True}) if streaming else HELLO
    with (
        FaultServer(script) as server,
        VllmClient(VllmConfig(base_url=server.url, **{"max_retries": 0, **settings})) as client,
    ):
        try:
            return client.complete(request), len(server.requests)
        except Exception as error:
            error.args = (*error.args, len(server.requests))
            raise


def said(message: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def delta(change: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "1", "choices": [{"index": 0, "delta": change, "finish_reason": finish}]}


def test_the_limits_are_those_promised() -> None:
    mega = 1024 * 1024
    assert (16 * mega, 64 * mega, 8 * mega) == (MAX_EVENT_BYTES, MAX_BODY_BYTES, MAX_BYTES)
    assert (MAX_TEXT, MAX_CALLS, MAX_DEPTH) == (2048, 128, 128)
    config = VllmConfig()
    assert (config.max_retry_after, config.max_retries + 1, config.max_connections) == (60, 3, 256)


# The stream and the body


@pytest.mark.parametrize("size", [1, 65536])
def test_an_event(size: int) -> None:
    data = b"x" * 65536
    for over in (0, 1):
        decoder = SSEDecoder(len("data: ") + len(data) - over)
        pieces = [b"data: " + data[:1], *(data[at : at + size] for at in range(1, len(data), size)), b"\n\n"]
        if over:
            with pytest.raises(ProtocolError, match="larger than"):
                list(map(decoder.feed, pieces))
        else:
            assert [event for piece in pieces for event in decoder.feed(piece)] == [data.decode()]


def test_an_event_of_full_size() -> None:
    frame = len("data: ")
    for more, whole in ((-frame, True), (1 - frame, False)):
        data = b"data: " + b"x" * (MAX_EVENT_BYTES + more) + b"\n\n"
        if whole:
            assert len(SSEDecoder().feed(data)[0]) == MAX_EVENT_BYTES + more
        else:
            with pytest.raises(ProtocolError) as caught:
                SSEDecoder().feed(data)
            assert caught.value.code == "response_too_large"


@pytest.mark.parametrize("over", [0, 1])
def test_a_body(over: int) -> None:
    body = json.dumps(said({"role": "assistant", "content": "Hi"})).encode()
    padded = body + b" " * (MAX_BODY_BYTES - len(body) + over)
    if over:
        with pytest.raises(ProtocolError) as caught:
            complete(answer(padded))
        assert (caught.value.code, caught.value.attempts) == ("response_too_large", 1)
    else:
        assert complete(answer(padded))[0].text == "Hi"


@pytest.mark.parametrize("over", [0, 1])
def test_the_server_s_words(over: int) -> None:
    words = "w" * (MAX_TEXT + over)
    with pytest.raises(ServerFailureError) as caught:
        complete(answer({"error": {"message": words, "code": 500}}, "500 Internal Server Error"))
    assert "w" * MAX_TEXT in str(caught.value)
    assert "w" * (MAX_TEXT + 1) not in str(caught.value)
    assert ("w …" in str(caught.value)) is bool(over)


# Tool calls


def called(count: int) -> list[dict[str, Any]]:
    return [
        {"index": at, "id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for at in range(count)
    ]


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_calls_of_an_answer(*, streaming: bool) -> None:
    def script(count: int) -> Script:
        if streaming:
            return stream(*(delta({"tool_calls": [call]}) for call in called(count)), delta({}, "tool_calls"))
        return answer(said({"role": "assistant", "content": None, "tool_calls": called(count)}))

    whole, _ = complete(script(MAX_CALLS), streaming=streaming)
    assert len(whole.tool_calls) == MAX_CALLS
    with pytest.raises(ProtocolError) as caught:
        complete(script(MAX_CALLS + 1), streaming=streaming)
    assert caught.value.code == "too_many_calls"


@pytest.mark.parametrize("filler", ["x", "é"])
def test_arguments_of_a_call(filler: str) -> None:
    frame = len('{"a": ""}')
    length, rest = divmod(MAX_BYTES - frame, len(filler.encode()))
    text = f'{{"a": "{filler * length}{"x" * rest}"}}'
    assert len(text.encode()) == MAX_BYTES
    for arguments, right in ((text, True), (text + " ", False)):
        answered = fold([ToolCallDelta(0, "c", "f", arguments), Finish("tool_calls")])
        assert (len(answered.tool_calls), len(answered.invalid_tool_calls)) == ((1, 0) if right else (0, 1))


def test_depth_of_arguments() -> None:
    def nested(depth: int) -> str:
        return '{"a": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"

    assert read_arguments(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(ArgumentsError, match="nested deeper than 128"):
            read_arguments(nested(depth))


def test_digits_of_an_integer() -> None:
    assert read_arguments('{"a": %s}' % ("9" * 4300))["a"] == 10**4300 - 1
    with pytest.raises(ArgumentsError, match="a number that cannot be represented"):
        read_arguments('{"a": %s}' % ("9" * 4301))


# Retries and connections


@pytest.mark.parametrize(
    ("status", "requests"), [("500 Internal Server Error", 3), ("503 Service Unavailable", 7), ("429 Too Many", 7)]
)
def test_attempts(status: str, requests: int) -> None:
    with pytest.raises((ServerFailureError, RateLimitedError)) as caught:
        complete(answer(b"", status), max_retries=2, retry_delay=0.001)
    assert (caught.value.attempts, caught.value.args[-1]) == (requests, requests)


@pytest.mark.parametrize(("seconds", "requests"), [(60, 4), (61, 1)])
def test_a_wait_asked_for(seconds: int, requests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    with pytest.raises(RateLimitedError) as caught:
        complete(answer(b"", "429 Too Many Requests", {"retry-after": str(seconds)}), max_retries=1)
    assert caught.value.attempts == requests
    assert caught.value.retry_after == seconds
    assert [seconds <= each <= 1.1 * seconds for each in waited if each > 1] == [True] * (requests - 1)


def test_connections() -> None:
    with FaultServer([*stream(delta({"content": "Hi"}), done=False)[:2], stall]) as server:
        config = VllmConfig(base_url=server.url, max_retries=0, timeout={"pool": 0.3})
        with VllmClient(config) as client:
            streams = [client.stream(HELLO) for _ in range(256)]
            assert all(next(each) for each in streams)
            with pytest.raises(RequestTimeoutError, match=r"all 256 connections are in use") as caught:
                next(client.stream(HELLO))
            assert (caught.value.phase, len(server.requests)) == ("pool", 256)
            for each in streams:
                each.close()
