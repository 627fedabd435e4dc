"""Every error has two parents, and says whether a retry may help."""

import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import vllm_connect as core
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core import exceptions as langchain
from langchain_vllm import errors

from tests.langchain.scripted import Answer, Reply, Scripted, server_error

OVERFLOW = "This model's maximum context length is 4096 tokens. However, your prompt contains 9000 input tokens."
CASES: list[tuple[Reply, type[errors.VllmError], type[langchain.ModelError], bool]] = [
    (server_error(400, "bad"), errors.BadRequestError, langchain.ModelInvalidRequestError, False),
    (server_error(400, OVERFLOW), errors.ContextOverflowError, langchain.ContextOverflowError, False),
    (Reply(401, b'{"error": "Unauthorized"}'), errors.AuthenticationError, langchain.ModelAuthenticationError, False),
    (server_error(403, "no"), errors.PermissionDeniedError, langchain.ModelPermissionDeniedError, False),
    (server_error(404, "The model `x` does not exist."), errors.ModelNotFoundError, langchain.ModelNotFoundError, False),
    (server_error(429, "slow"), errors.RateLimitedError, langchain.ModelRateLimitError, True),
    (server_error(500, "broken"), errors.ServerFailureError, langchain.ModelAPIError, True),
    (server_error(503, "busy"), errors.ServerFailureError, langchain.ModelAPIError, True),
    (Reply(200, b"<html>", "text/html"), errors.ProtocolError, langchain.ModelAPIError, True),
]  # fmt: skip


@pytest.mark.parametrize(("response", "ours", "theirs", "retryable"), CASES, ids=[str(i) for i in range(len(CASES))])
async def test_every_failure_has_two_parents(
    response: Reply, ours: type[errors.VllmError], theirs: type[langchain.ModelError], retryable: bool
) -> None:
    def invoke(model: Any) -> None:
        model.invoke("Hi")

    def stream(model: Any) -> None:
        list(model.stream("Hi"))

    def events(model: Any) -> None:
        list(model.stream_events("Hi", version="v3"))

    for ask in (invoke, stream, events):
        with pytest.raises(ours) as caught:
            ask(Scripted([response]).model())
        error = caught.value
        assert type(error) is ours
        assert isinstance(error, theirs)
        assert isinstance(error, getattr(core, ours.__name__))
        assert error.is_retryable is retryable
        assert error.attempts == 1
    with pytest.raises(ours):
        await Scripted([response]).model().ainvoke("Hi")
    with pytest.raises(ours):
        [chunk async for chunk in Scripted([response]).model().astream("Hi")]


def test_every_error_class_has_a_counterpart() -> None:
    kinds = {kind for kind in vars(core).values() if isinstance(kind, type) and issubclass(kind, core.VllmError)}
    assert set(errors.COUNTERPARTS) == kinds
    for theirs, ours in errors.COUNTERPARTS.items():
        assert issubclass(ours, theirs)
        assert issubclass(ours, langchain.ModelError)
        assert ours.__name__ == theirs.__name__
        for parent in theirs.__bases__:
            if parent in errors.COUNTERPARTS:
                assert issubclass(ours, errors.COUNTERPARTS[parent])


def test_the_attributes_of_an_error_are_kept() -> None:
    cause = OSError("gone")
    error = core.ContextOverflowError("too long", limit=4096, requested=9000, status=400)
    error.__cause__ = cause
    ours = errors.as_model_error(error)
    assert (ours.message, ours.limit, ours.requested, ours.status, ours.code) == (
        "too long",
        4096,
        9000,
        400,
        "context_overflow",
    )
    assert ours.__cause__ is cause
    again = pickle.loads(pickle.dumps(ours))  # noqa: S301 - our own bytes
    assert (type(again), again.args, again.limit) == (type(ours), ours.args, 4096)
    assert errors.as_model_error(ours) is ours
    unsafe = core.ConnectionFailedError("the certificate is wrong", retryable=False)
    assert errors.as_model_error(unsafe).is_retryable is False
    shape = errors.StructuredOutputError("no", llm_output="x")
    assert pickle.loads(pickle.dumps(shape)).llm_output == "x"  # noqa: S301 - our own bytes


def test_an_unreachable_server_is_a_connection_error() -> None:
    with pytest.raises(errors.ConnectionFailedError, match=r"127\.0\.0\.1:9") as caught:
        Scripted([]).model(http_client=None).invoke("Hi")
    assert isinstance(caught.value, langchain.ModelConnectionError)
    assert caught.value.is_retryable


@pytest.mark.parametrize(("status", "tries"), [(503, 2), (400, 1)])
def test_retry_middleware_retries_retryable_errors_only(status: int, tries: int) -> None:
    from langchain.agents import create_agent  # noqa: PLC0415 - slow to import

    script = Scripted([server_error(status, "no"), Answer("Hi")])
    agent: Any = create_agent(script.model(), middleware=[ModelRetryMiddleware(initial_delay=0, on_failure="error")])
    if tries == 1:
        with pytest.raises(errors.BadRequestError):
            agent.invoke({"messages": "Hi"})
    else:
        assert agent.invoke({"messages": "Hi"})["messages"][-1].text == "Hi"
    assert len(script.asked) == tries


class _Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b'data: {"id": "1", "model": "demo", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}\n\n'
        raise httpx.ReadError("gone")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


async def test_an_interrupted_stream_has_the_partial_answer() -> None:
    broken = Reply(200, _Broken(), "text/event-stream")
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(Scripted([broken]).model().stream("Hi"))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"
    assert isinstance(caught.value, langchain.ModelConnectionError)


def test_a_timeout_is_retryable_for_the_caller() -> None:
    error = errors.as_model_error(core.RequestTimeoutError("too long", phase="first_token", retryable=False))
    assert (error.retryable, error.is_retryable) == (False, True)
