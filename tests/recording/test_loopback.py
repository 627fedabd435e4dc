"""The server that users test with: scripts, recordings, and what it says where it has neither."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest
from vllm_connect import ChatRequest, StreamInterruptedError, VllmClient, VllmConfig, fold
from vllm_connect.testing import Answer, LoopbackServer, Size, pieces, read, record, replay, script

HELLO = ChatRequest(messages=[{"role": "user", "content": "Hello"}], model="demo", stream=True)
EVENTS: list[dict[str, Any]] = [
    {"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Grüß"}}]},
    {"id": "1", "choices": [{"index": 0, "delta": {"content": " dich"}, "finish_reason": "stop"}]},
]
WHOLE = {"id": "1", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}


def client(server: LoopbackServer) -> VllmClient:
    return VllmClient(VllmConfig(base_url=server.url, max_retries=0, api_key="sk-canary"))


def post(server: LoopbackServer, body: object, path: str = "/v1/chat/completions") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", path, json.dumps(body), {"authorization": "Bearer sk-canary"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def said(deltas: list[Any]) -> str:
    return fold(deltas).text


@pytest.mark.parametrize("size", [1, 3, "events", "whole"])
def test_a_script_streams(size: Size) -> None:
    with script(EVENTS, size=size) as server, client(server) as vllm:
        assert said([delta for deltas in vllm.stream(HELLO) for delta in deltas]) == "Grüß dich"
        (asked,) = [asked for asked in server.asked if asked.method == "POST"]
        assert asked.body["messages"] == HELLO.messages
        assert asked.headers["authorization"] == "Bearer sk-canary"
        assert "canary" not in repr(server.exchanges)


def test_a_script_answers_in_order() -> None:
    with script(WHOLE, 429, Answer.error(400, "no", "BadRequestError")) as server:
        assert post(server, {"n": 1}) == (200, WHOLE)
        assert post(server, {"n": 2})[0] == 429
        assert post(server, {"n": 3}) == (
            400,
            {"error": {"message": "no", "type": "BadRequestError", "param": None, "code": 400}},
        )
        status, error = post(server, {"n": 4})
        assert status == 500
        assert '{"n": 4}' in error["error"]["message"]
        assert [asked.body for asked in server.unmatched] == [{"n": 4}]


def test_a_script_knows_its_model() -> None:
    with script(model="tiny", context_window=512) as server, client(server) as vllm:
        assert vllm.is_healthy()
        assert vllm.server_info().context_window("tiny") == 512


def test_a_stream_can_be_cut() -> None:
    with script(Answer.events(EVENTS[:1], done=False, cut=True)) as server, client(server) as vllm:
        stream = vllm.stream(HELLO)
        assert said(next(stream)).startswith("Grüß")
        with pytest.raises(StreamInterruptedError) as caught:
            list(stream)
        assert caught.value.partial is not None


def test_pieces() -> None:
    stream = Answer.events([{"n": 1}], done=True)
    assert list(pieces(stream, "events")) == [b'data: {"n":1}\n\n', b"data: [DONE]\n\n", b""]
    assert list(pieces(stream, "whole")) == [stream.body]
    assert b"".join(pieces(stream, 4)) == stream.body
    assert list(pieces(Answer.json([]), "events")) == [b"[]"]


def ids(first: str, second: str) -> dict[str, Any]:
    calls = [{"id": first, "type": "function"}, {"id": second, "type": "function"}]
    results = [{"role": "tool", "tool_call_id": first}, {"role": "tool", "tool_call_id": second}]
    return {"messages": [{"role": "assistant", "tool_calls": calls}, *results], "request_id": first}


def test_a_recording_has_all_that_matters_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "cassette.yaml"
    with script(Answer.events(EVENTS), WHOLE, 400) as real:
        with record(file, real.url) as recorder, client(recorder) as vllm:
            live = fold([delta for deltas in vllm.stream(HELLO) for delta in deltas])
            assert fold([delta for deltas in vllm.stream(HELLO) for delta in deltas]) == live
            assert post(recorder, ids("a", "b")) == (200, WHOLE)
            assert post(recorder, {"wrong": 1})[0] == 400
        assert len([asked for asked in real.asked if asked.method == "POST"]) == 3
        assert real.asked[-1].headers["authorization"] == "Bearer sk-canary"
    text = file.read_text()
    assert "canary" not in text
    assert "http://127.0.0.1:" not in text
    assert '        data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"Grüß"}}]}\n' in text
    with replay(file, size=1) as server, client(server) as vllm:
        assert fold([delta for deltas in vllm.stream(HELLO) for delta in deltas]) == live
        assert post(server, ids("x", "y")) == (200, WHOLE)
        assert post(server, ids("x", "x"))[0] == 500
    assert [asked.body for asked in server.unused] == [{"wrong": 1}]
    assert [recording.answer.status for recording in read(file)] == [200, 200, 400]


def test_a_recording_can_be_asked_for_again(tmp_path: Path) -> None:
    file = tmp_path / "cassette.yaml"
    with script(WHOLE) as real, record(file, real.url) as recorder:
        post(recorder, {"n": 1})
    with replay(file) as server:
        assert [post(server, {"n": 1})[0] for _ in range(3)] == [200, 200, 200]


def test_a_missing_cassette_holds_nothing(tmp_path: Path) -> None:
    with replay(tmp_path / "none.yaml") as server:
        assert post(server, {})[0] == 500
    assert len(server.unmatched) == 1


def test_a_server_that_does_not_run_has_no_url() -> None:
    with pytest.raises(RuntimeError, match="context manager"):
        print(script().url)
