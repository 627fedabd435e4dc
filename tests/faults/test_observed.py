"""Traces and recordings see every client alike, in all four ways and on both routes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import respx
import vcr
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.faults.echo import Echo
from tests.faults.fault import CANARY, PROMPT
from tests.faults.replies import piece, whole
from tests.faults.server import FaultServer, answer, stream
from tests.faults.ways import Caller

PROVIDER = TracerProvider()
TRACER = PROVIDER.get_tracer("tests")


@pytest.fixture
def server(way: str) -> Iterator[FaultServer]:
    script = stream(piece(content="Hi"), piece("stop")) if way.endswith("stream") else answer(whole("Hi"))
    with FaultServer(script) as server:
        yield server


def test_a_request_continues_the_current_trace(kind: str, way: str, route: str, server: FaultServer) -> None:
    with Caller(kind, server.url, way, route) as call:
        assert call().text == "Hi"
        with TRACER.start_as_current_span("of the caller") as span:
            assert call().text == "Hi"
            context = span.get_span_context()
        assert call().text == "Hi"
    before, sent, after = (request.headers.get("traceparent", "") for request in server.requests)
    ids = f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-"
    assert (before, sent[:-2], after) == ("", ids, "")


def test_a_trace_context_of_the_caller_comes_first(kind: str, way: str, route: str, server: FaultServer) -> None:
    given = f"00-{'1' * 32}-{'2' * 16}-01"
    with (
        Caller(kind, server.url, way, route, headers={"Traceparent": given}) as call,
        TRACER.start_as_current_span("other"),
    ):
        assert call().text == "Hi"
    assert server.requests[0].headers["traceparent"] == given


def test_instrumentation_of_httpx_sees_its_route(kind: str, way: str, server: FaultServer) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    try:
        with Caller(kind, server.url, way, "httpx", api_key=CANARY) as call:
            assert call().text == "Hi"
    finally:
        HTTPXClientInstrumentor().uninstrument()
    (span,) = exporter.get_finished_spans()
    context = span.get_span_context()
    assert context is not None
    assert trace.format_span_id(context.span_id) in server.requests[0].headers["traceparent"]
    assert CANARY not in span.to_json()


def test_opentelemetry_is_imported_by_its_user_only(echo: Echo) -> None:
    code = f"""
import sys
from vllm_connect import ChatRequest, VllmClient, VllmConfig
request = ChatRequest(messages=[{{"role": "user", "content": "Hi"}}], model="demo")
print(VllmClient(VllmConfig(base_url={echo.url!r})).complete(request).text)
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.split("\n")[:2] == ["Hi", "[]"]


# Recordings and mocks


def test_a_cassette_that_begins_while_connections_are_warm_sees_the_next_call(
    kind: str, way: str, route: str, server: FaultServer, tmp_path: Path
) -> None:
    with Caller(kind, server.url, way, route, api_key=CANARY) as call:
        assert [call().text, call().text] == ["Hi", "Hi"]
        for _ in range(2):  # recorded, and replayed
            with vcr.use_cassette(str(tmp_path / "c.yaml"), filter_headers=["authorization"]) as cassette:
                assert call(PROMPT).text == "Hi"
            assert (len(cassette), len(server.requests)) == (1, 3)
        assert call().text == "Hi"
        assert len(server.requests) == 4
    assert server.connections <= 2
    assert PROMPT in (tmp_path / "c.yaml").read_text()
    assert CANARY not in (tmp_path / "c.yaml").read_text()


def test_a_mock_that_begins_while_connections_are_warm_answers_the_next_call(
    kind: str, way: str, route: str, server: FaultServer
) -> None:
    with Caller(kind, server.url, way, route) as call:
        assert call().text == "Hi"
        with respx.mock:
            mocked = respx.post(f"{server.url}/v1/chat/completions")
            if way.endswith("stream"):
                mocked.respond(
                    content=b'data: {"choices": [{"index": 0, "delta": {"content": "mock"}, "finish_reason": "stop"}]}\n\n'
                    b"data: [DONE]\n\n",
                    headers={"content-type": "text/event-stream"},
                )
            else:
                mocked.respond(json=whole("mock"))
            assert call().text == "mock"
        assert call().text == "Hi"
    assert len(server.requests) == 2
