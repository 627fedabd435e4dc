"""The clients: thin shells that carry an exchange over a transport.

`VllmClient().complete(ChatRequest(messages=[{"role": "user", "content": "Hi"}])).text`. The asynchronous client differs
by `await` only; what is said and understood is decided in `exchange`, which does no I/O.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from types import TracebackType

from vllm_connect.chat.endpoints import Endpoints
from vllm_connect.chat.exchange import Exchange
from vllm_connect.config.config import VllmConfig, timeouts_of
from vllm_connect.errors import VllmError
from vllm_connect.protocol.server_info import ServerInfo
from vllm_connect.protocol.split_events import apart, whole
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.response.completion import Completion, fold_choices
from vllm_connect.response.deltas import Delta
from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.http import AsyncTransport, Transport

__all__ = ["AsyncVllmClient", "VllmClient"]


class VllmClient:
    """A client of one vLLM server, for any number of threads.

    Nothing is sent, and nothing heavy is made, before the first call.

    Args:
        config: Where the server is and how to talk to it; None reads the environment.
        http_client: An `httpx.Client` to use in place of our own transport; it is never closed.
        calls: What is shared with other clients of the same server: what was learned of it, and the retry budget.
    """

    def __init__(
        self, config: VllmConfig | None = None, *, http_client: object | None = None, endpoints: Endpoints | None = None
    ) -> None:
        self.config = config or VllmConfig()
        self.endpoints = endpoints or Endpoints(self.config)
        self._transport = Transport(self.config, http_client)
        self._cut = whole if self.config.coalesce else apart

    def stream(self, request: ChatRequest) -> Generator[list[Delta], None, None]:
        """Ask for a stream.

        Args:
            request: What is asked.

        Yields:
            The deltas that arrived together. Closing the generator closes the connection, and the server stops.

        Raises:
            VllmError: Anything; `partial` holds what had come.
        """
        exchange = self.endpoints.stream(request, self._version(request))
        return self._run(exchange)

    def complete(self, request: ChatRequest) -> Completion:
        """Ask for an answer and wait for all of it.

        Args:
            request: What is asked.

        Returns:
            The answer; the first of them where `n` were asked for.

        Raises:
            VllmError: Anything.
        """
        return self.complete_choices(request)[0]

    def complete_choices(self, request: ChatRequest) -> list[Completion]:
        """Ask for `n` answers and wait for all of them; see `complete`."""
        exchange = self.endpoints.complete(request, self._version(request))
        return fold_choices([delta for deltas in self._run(exchange) for delta in deltas], tools=request.tools)

    def count_tokens(self, request: ChatRequest) -> int:
        """Count the tokens of a request's prompt, tools included, with the server's own tokenizer and template."""
        return self.endpoints.read_count(self._ask(self.endpoints.tokenize_chat(request)))

    def tokenize(self, text: str, *, model: str | None = None) -> list[int]:
        """Turn text into token ids with the server's tokenizer."""
        return self.endpoints.read_tokens(self._ask(self.endpoints.tokenize(text, model)))

    def detokenize(self, tokens: list[int], *, model: str | None = None) -> str:
        """Turn token ids into text with the server's tokenizer, special tokens kept."""
        return self.endpoints.read_text(self._ask(self.endpoints.detokenize(tokens, model)))

    def token_bias(self, words: Mapping[str, float], *, model: str | None = None) -> dict[str, float]:
        """Turn biases of words into the `logit_bias` of a request.

        Args:
            words: The bias of each word, from -100 to 100; every token of it gets the bias. A word in the middle of a text
                begins with a space in most vocabularies: give both spellings.
            model: The served model; None is the first.

        Returns:
            The bias by token id.
        """
        return {str(token): bias for word, bias in words.items() for token in self.tokenize(word, model=model)}

    def server_info(self, *, refresh: bool = False) -> ServerInfo:
        """Tell which server this is: version, models, context window; asked once and remembered.

        Args:
            refresh: Ask again.
        """
        if self.endpoints.info is not None and not refresh:
            return self.endpoints.info
        return self.endpoints.learn([self._probe(probe) for probe in self.endpoints.probes()])

    def is_healthy(self) -> bool:
        """Tell whether the server answers and its engine lives, within ten seconds."""
        return self._probe(self.endpoints.health()) is not None

    def close(self) -> None:
        """Close idle connections; the client can be used again."""
        self._transport.close()

    def __enter__(self) -> "VllmClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _version(self, request: ChatRequest) -> tuple[int, int, int] | None:
        return self.server_info().version if request.depends_on_version() else None

    def _ask(self, exchange: Exchange) -> bytes:
        for _ in self._run(exchange):
            pass
        return exchange.body

    def _probe(self, exchange: Exchange) -> bytes | None:
        """Ask what a proxy may not let through; no answer is an answer."""
        try:
            return self._ask(exchange)
        except VllmError:
            return None

    def _run(self, exchange: Exchange) -> Generator[list[Delta], None, None]:
        deadlines = Deadlines(timeouts_of(self.config), time.monotonic())
        while not exchange.finished:
            try:
                with self._transport.open(exchange.request(), deadlines) as reply:
                    exchange.answered(reply.status, reply.headers)
                    for data in reply:
                        for piece in self._cut(data):
                            if deltas := exchange.feed(piece):
                                deadlines.progress(time.monotonic())
                                yield deltas
                            if exchange.done:
                                break
                        if exchange.done:
                            break
                    if deltas := exchange.end():
                        yield deltas
                exchange.verify()
            except VllmError as error:
                data = piece = b""  # tracebacks, and what reports them, show the variables of a frame
                time.sleep(exchange.failed(error, deadlines.remaining(time.monotonic())))
                deadlines.start_attempt(time.monotonic())


class AsyncVllmClient:
    """A client of one vLLM server, for any number of event loops; the asynchronous form of `VllmClient`.

    Args:
        config: Where the server is and how to talk to it; None reads the environment.
        http_client: An `httpx.AsyncClient` to use in place of our own transport; it is never closed.
        calls: What is shared with other clients of the same server: what was learned of it, and the retry budget.
    """

    def __init__(
        self, config: VllmConfig | None = None, *, http_client: object | None = None, endpoints: Endpoints | None = None
    ) -> None:
        self.config = config or VllmConfig()
        self.endpoints = endpoints or Endpoints(self.config)
        self._transport = AsyncTransport(self.config, http_client)
        self._cut = whole if self.config.coalesce else apart

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[Delta], None]:
        """Ask for a stream; see `VllmClient.stream`."""
        return self._run(request)

    async def complete(self, request: ChatRequest) -> Completion:
        """Ask for an answer and wait for all of it; see `VllmClient.complete`."""
        return (await self.complete_choices(request))[0]

    async def complete_choices(self, request: ChatRequest) -> list[Completion]:
        """Ask for `n` answers and wait for all of them; see `complete`."""
        exchange = self.endpoints.complete(request, await self._version(request))
        return fold_choices([delta async for deltas in self._run(exchange) for delta in deltas], tools=request.tools)

    async def count_tokens(self, request: ChatRequest) -> int:
        """Count the tokens of a request's prompt; see `VllmClient.count_tokens`."""
        return self.endpoints.read_count(await self._ask(self.endpoints.tokenize_chat(request)))

    async def tokenize(self, text: str, *, model: str | None = None) -> list[int]:
        """Turn text into token ids with the server's tokenizer."""
        return self.endpoints.read_tokens(await self._ask(self.endpoints.tokenize(text, model)))

    async def detokenize(self, tokens: list[int], *, model: str | None = None) -> str:
        """Turn token ids into text with the server's tokenizer, special tokens kept."""
        return self.endpoints.read_text(await self._ask(self.endpoints.detokenize(tokens, model)))

    async def token_bias(self, words: Mapping[str, float], *, model: str | None = None) -> dict[str, float]:
        """Turn biases of words into the `logit_bias` of a request; see `VllmClient.token_bias`."""
        return {str(token): bias for word, bias in words.items() for token in await self.tokenize(word, model=model)}

    async def server_info(self, *, refresh: bool = False) -> ServerInfo:
        """Tell which server this is; see `VllmClient.server_info`."""
        if self.endpoints.info is not None and not refresh:
            return self.endpoints.info
        return self.endpoints.learn([await self._probe(probe) for probe in self.endpoints.probes()])

    async def is_healthy(self) -> bool:
        """Tell whether the server answers and its engine lives, within ten seconds."""
        return await self._probe(self.endpoints.health()) is not None

    async def aclose(self) -> None:
        """Close the idle connections of this event loop; the client can be used again."""
        await self._transport.aclose()

    async def __aenter__(self) -> "AsyncVllmClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _version(self, request: ChatRequest) -> tuple[int, int, int] | None:
        return (await self.server_info()).version if request.depends_on_version() else None

    async def _ask(self, exchange: Exchange) -> bytes:
        async for _ in self._run(exchange):
            pass
        return exchange.body

    async def _probe(self, exchange: Exchange) -> bytes | None:
        """Ask what a proxy may not let through; no answer is an answer."""
        try:
            return await self._ask(exchange)
        except VllmError:
            return None

    async def _run(self, asked: Exchange | ChatRequest) -> AsyncGenerator[list[Delta], None]:
        """Carry an exchange out, or that of a stream's request: a loop that ends closes nested generators in any order."""
        exchange = asked if isinstance(asked, Exchange) else self.endpoints.stream(asked, await self._version(asked))
        deadlines = Deadlines(timeouts_of(self.config), time.monotonic())
        while not exchange.finished:
            try:
                async with self._transport.open(exchange.request(), deadlines) as reply:
                    exchange.answered(reply.status, reply.headers)
                    async for data in reply:
                        for piece in self._cut(data):
                            if deltas := exchange.feed(piece):
                                deadlines.progress(time.monotonic())
                                yield deltas
                            if exchange.done:
                                break
                        if exchange.done:
                            break
                    if deltas := exchange.end():
                        yield deltas
                exchange.verify()
            except VllmError as error:
                data = piece = b""  # tracebacks, and what reports them, show the variables of a frame
                await asyncio.sleep(exchange.failed(error, deadlines.remaining(time.monotonic())))
                deadlines.start_attempt(time.monotonic())
