"""The clients: thin shells that carry out the steps of a call over a transport.

`VllmClient().complete(ChatRequest(messages=[{"role": "user", "content": "Hi"}])).text`. The asynchronous client differs
by `await` only; what is sent and how an answer is read is decided in `chat.flow`, which does no I/O.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from types import TracebackType
from typing import Any, TypeVar

from vllm_connect.chat.endpoints import Endpoints, Question
from vllm_connect.chat.steps import Outcome, Round, Step, Steps, Wait
from vllm_connect.config.config import Timeouts, VllmConfig, timeouts_of
from vllm_connect.config.validation import check_async_http_client, check_http_client
from vllm_connect.errors import ConfigurationError, VllmError
from vllm_connect.protocol.server_info import ServerInfo
from vllm_connect.protocol.split_events import split_events
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.response.completion import Completion, fold_choices
from vllm_connect.response.deltas import Delta
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.http import AsyncTransport, Transport

__all__ = ["AsyncVllmClient", "VllmClient"]

T = TypeVar("T")

HEALTH_SECONDS = 10.0
"""How long a health check takes at most."""


class VllmClient:
    """A client of one vLLM server, for any number of threads.

    Nothing is sent, and nothing expensive is created, before the first call.

    Args:
        config: Where the server is and how to talk to it, or the server's URL; None reads the environment.
        http_client: An `httpx.Client` to use in place of our own transport; it is never closed.
        endpoints: What is shared with other clients of the same server: what was learned of it, and the retry budget.
        **settings: Settings of `VllmConfig`, in place of a configuration.

    Raises:
        ConfigurationError: A setting is unknown or wrong, or there is a configuration beside settings.
    """

    def __init__(
        self,
        config: VllmConfig | str | None = None,
        *,
        http_client: object | None = None,
        endpoints: Endpoints | None = None,
        **settings: Any,
    ) -> None:
        self.config = _config(config, settings)
        self.endpoints = endpoints or Endpoints(self.config)
        self._transport = Transport(self.config, check_http_client(http_client))

    def stream(self, request: ChatRequest) -> Generator[list[Delta], None, None]:
        """Send a request and stream the answer.

        Args:
            request: The request.

        Yields:
            The deltas that arrived together. Closing the generator closes the connection, and the server stops.

        Raises:
            VllmError: Anything that goes wrong; `partial` has what arrived.
        """
        return self._run(self.endpoints.stream(request))

    def complete(self, request: ChatRequest) -> Completion:
        """Send a request and wait for the whole answer.

        Args:
            request: The request.

        Returns:
            The answer; the first of them where `n` were requested.

        Raises:
            VllmError: Anything that goes wrong.
        """
        return self.complete_choices(request)[0]

    def complete_choices(self, request: ChatRequest) -> list[Completion]:
        """Send a request and wait for all `n` answers; see `complete`."""
        received = self._run(self.endpoints.complete(request))
        return fold_choices([delta for deltas in received for delta in deltas], tools=request.tools)

    def count_tokens(self, request: ChatRequest) -> int:
        """Count the tokens of a request's prompt, tools included, with the server's own tokenizer and template."""
        return self._ask(self.endpoints.count_tokens(request))

    def tokenize(self, text: str, *, model: str | None = None) -> list[int]:
        """Convert text into token ids with the server's tokenizer."""
        return self._ask(self.endpoints.tokenize(text, model))

    def detokenize(self, tokens: list[int], *, model: str | None = None) -> str:
        """Convert token ids into text with the server's tokenizer, special tokens included."""
        return self._ask(self.endpoints.detokenize(tokens, model))

    def token_bias(self, words: Mapping[str, float], *, model: str | None = None) -> dict[str, float]:
        """Convert biases of words into the `logit_bias` of a request.

        Args:
            words: The bias of each word, from -100 to 100; every token of it gets the bias. A word in the middle of a text
                begins with a space in most vocabularies: give both forms.
            model: The served model; None is the first.

        Returns:
            The bias by token id.
        """
        return {str(token): bias for word, bias in words.items() for token in self.tokenize(word, model=model)}

    def server_info(self, *, refresh: bool = False) -> ServerInfo:
        """Return which server this is: version, models, context window; asked once and remembered.

        Args:
            refresh: Ask again.
        """
        known = self.endpoints.capabilities.info
        return known if known is not None and not refresh else self._ask(self.endpoints.server_info())

    def is_healthy(self) -> bool:
        """Check whether the server answers and its engine is alive, within ten seconds."""
        return self._ask(self.endpoints.health(), _health_timeouts(self.config))

    def close(self) -> None:
        """Close idle connections; the client can be used again."""
        self._transport.close()

    def __enter__(self) -> "VllmClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: Question[T], timeouts: Timeouts | None = None) -> T:
        for _ in self._run(question.steps, timeouts):
            pass
        return question.answer

    def _run(self, steps: Steps[None], timeouts: Timeouts | None = None) -> Generator[list[Delta], None, None]:
        """Carry out the steps of a call."""
        deadlines = Deadlines(timeouts or timeouts_of(self.config), time.monotonic())
        step = next(steps, None)
        while step is not None:
            try:
                if isinstance(step, Round):
                    deadlines.start_attempt(time.monotonic())
                    with self._transport.open(step.request, deadlines) as reply:
                        reader = step.reader
                        reader.begin(reply.status, reply.headers)
                        for data in reply:
                            for piece in (data,) if self.config.coalesce else split_events(data):
                                if deltas := reader.push(piece):
                                    deadlines.progress(time.monotonic())
                                    yield deltas
                                if reader.done:
                                    break
                            if reader.done:
                                break
                        if deltas := reader.finish():
                            yield deltas
                elif isinstance(step, Wait):
                    time.sleep(step.seconds)
                elif step:
                    yield step
            except VllmError as error:
                data = piece = b""  # tracebacks, and what reports them, show the variables of a frame
                step = _next(steps, error, deadlines)
            else:
                data = piece = b""
                step = _next(steps, None, deadlines)


class AsyncVllmClient:
    """A client of one vLLM server, for any number of event loops; the asynchronous form of `VllmClient`.

    Args:
        config: Where the server is and how to talk to it, or the server's URL; None reads the environment.
        http_client: An `httpx.AsyncClient` to use in place of our own transport; it is never closed.
        endpoints: What is shared with other clients of the same server: what was learned of it, and the retry budget.
        **settings: Settings of `VllmConfig`, in place of a configuration.

    Raises:
        ConfigurationError: A setting is unknown or wrong, or there is a configuration beside settings.
    """

    def __init__(
        self,
        config: VllmConfig | str | None = None,
        *,
        http_client: object | None = None,
        endpoints: Endpoints | None = None,
        **settings: Any,
    ) -> None:
        self.config = _config(config, settings)
        self.endpoints = endpoints or Endpoints(self.config)
        self._transport = AsyncTransport(self.config, check_async_http_client(http_client))

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[Delta], None]:
        """Send a request and stream the answer; see `VllmClient.stream`."""
        return self._run(self.endpoints.stream(request))

    async def complete(self, request: ChatRequest) -> Completion:
        """Send a request and wait for the whole answer; see `VllmClient.complete`."""
        return (await self.complete_choices(request))[0]

    async def complete_choices(self, request: ChatRequest) -> list[Completion]:
        """Send a request and wait for all `n` answers; see `complete`."""
        received = self._run(self.endpoints.complete(request))
        return fold_choices([delta async for deltas in received for delta in deltas], tools=request.tools)

    async def count_tokens(self, request: ChatRequest) -> int:
        """Count the tokens of a request's prompt; see `VllmClient.count_tokens`."""
        return await self._ask(self.endpoints.count_tokens(request))

    async def tokenize(self, text: str, *, model: str | None = None) -> list[int]:
        """Convert text into token ids with the server's tokenizer."""
        return await self._ask(self.endpoints.tokenize(text, model))

    async def detokenize(self, tokens: list[int], *, model: str | None = None) -> str:
        """Convert token ids into text with the server's tokenizer, special tokens included."""
        return await self._ask(self.endpoints.detokenize(tokens, model))

    async def token_bias(self, words: Mapping[str, float], *, model: str | None = None) -> dict[str, float]:
        """Convert biases of words into the `logit_bias` of a request; see `VllmClient.token_bias`."""
        return {str(token): bias for word, bias in words.items() for token in await self.tokenize(word, model=model)}

    async def server_info(self, *, refresh: bool = False) -> ServerInfo:
        """Return which server this is; see `VllmClient.server_info`."""
        known = self.endpoints.capabilities.info
        return known if known is not None and not refresh else await self._ask(self.endpoints.server_info())

    async def is_healthy(self) -> bool:
        """Check whether the server answers and its engine is alive, within ten seconds."""
        return await self._ask(self.endpoints.health(), _health_timeouts(self.config))

    async def aclose(self) -> None:
        """Close the idle connections of this event loop; the client can be used again."""
        await self._transport.aclose()

    async def __aenter__(self) -> "AsyncVllmClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _ask(self, question: Question[T], timeouts: Timeouts | None = None) -> T:
        async for _ in self._run(question.steps, timeouts):
            pass
        return question.answer

    async def _run(self, steps: Steps[None], timeouts: Timeouts | None = None) -> AsyncGenerator[list[Delta], None]:
        """Carry out the steps of a call."""
        deadlines = Deadlines(timeouts or timeouts_of(self.config), time.monotonic())
        step = next(steps, None)
        while step is not None:
            try:
                if isinstance(step, Round):
                    deadlines.start_attempt(time.monotonic())
                    async with self._transport.open(step.request, deadlines) as reply:
                        reader = step.reader
                        reader.begin(reply.status, reply.headers)
                        async for data in reply:
                            for piece in (data,) if self.config.coalesce else split_events(data):
                                if deltas := reader.push(piece):
                                    deadlines.progress(time.monotonic())
                                    yield deltas
                                if reader.done:
                                    break
                            if reader.done:
                                break
                        if deltas := reader.finish():
                            yield deltas
                elif isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                elif step:
                    yield step
            except VllmError as error:
                data = piece = b""  # tracebacks, and what reports them, show the variables of a frame
                step = _next(steps, error, deadlines)
            else:
                data = piece = b""
                step = _next(steps, None, deadlines)


def _config(config: VllmConfig | str | None, settings: dict[str, Any]) -> VllmConfig:
    """Build the configuration from what a client was given."""
    if isinstance(config, str):
        settings = {"base_url": config, **settings}
    elif config is not None:
        if settings:
            raise ConfigurationError(f"{', '.join(settings)} beside a configuration: set them in it")
        return config
    return VllmConfig(**settings)


def _next(steps: Steps[None], error: VllmError | None, deadlines: Deadlines) -> Step | None:
    """Report the outcome of a step, and return the next one; None at the end of the call."""
    try:
        return steps.send(Outcome(error, deadlines.remaining(time.monotonic())))
    except StopIteration:
        return None


def _health_timeouts(config: VllmConfig) -> Timeouts:
    timeouts = timeouts_of(config)
    return timeouts.model_copy(update={"total": min(timeouts.total or math.inf, HEALTH_SECONDS)})
