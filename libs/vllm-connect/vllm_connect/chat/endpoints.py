"""The calls that a client can make, as generators of steps; see `vllm_connect.chat.steps`."""

import random
import time
from collections.abc import Generator
from functools import partial
from typing import Generic, TypeVar

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.flow import chat_call, probe_server
from vllm_connect.chat.prepare import prepare_messages
from vllm_connect.chat.steps import CallContext, Outcome, Step, Steps, fetch, probe
from vllm_connect.config.config import VllmConfig, scrub, secrets_of
from vllm_connect.errors import StreamingDisabledError
from vllm_connect.parsing.ids import new_call_id
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.protocol.server_info import ServerInfo
from vllm_connect.protocol.tokenize import detokenize_request, read_member, tokenize_chat_request, tokenize_request
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.transport.retry import RetryPolicy, budget_of

__all__ = ["Endpoints", "Question"]

T = TypeVar("T")

HEALTH = HttpRequest("GET", "/health")


class Question(Generic[T]):
    """A call that returns one value.

    Args:
        steps: The steps of the call, which return the value.

    Attributes:
        steps: The steps to carry out.
        answer: The value, once the steps were carried out.
    """

    answer: T

    def __init__(self, steps: Steps[T]) -> None:
        self.steps = self._keep(steps)

    def _keep(self, steps: Steps[T]) -> Generator[Step, Outcome, None]:
        self.answer = yield from steps


class Endpoints:
    """Builds the calls of a client and keeps what they teach; clients of one server may share it.

    Args:
        config: Where the server is and how to talk to it.

    Attributes:
        capabilities: What is known of the server.
    """

    def __init__(self, config: VllmConfig) -> None:
        self._config = config
        self.capabilities = ServerCapabilities()
        self._context = CallContext(
            policy=RetryPolicy(config, random.random),
            budget=budget_of(config.base_url),
            scrub=partial(_scrubbed, config),
            clock=time.time,
            capabilities=self.capabilities,
            new_id=new_call_id,
        )

    def stream(self, request: ChatRequest) -> Steps[None]:
        """Build the call of a streamed answer.

        Raises:
            StreamingDisabledError: The configuration forbids it.
        """
        if not self._config.streaming_allowed:
            raise StreamingDisabledError(
                "streaming is forbidden by streaming_allowed=False: call complete or invoke, or allow it"
            )
        streamed = request if request.stream else request.model_copy(update={"stream": True})
        return chat_call(streamed, self._context)

    def complete(self, request: ChatRequest) -> Steps[None]:
        """Build the call of a whole answer."""
        whole = {"stream": False, "stream_options": None}
        return chat_call(request.model_copy(update=whole) if request.stream else request, self._context)

    def count_tokens(self, request: ChatRequest) -> Question[int]:
        """Build the call for the number of tokens of a request's prompt, its messages as they would be sent."""
        request = request.normalized()
        request.check_messages()
        prepared = prepare_messages(request, self.capabilities).request
        return self._ask(tokenize_chat_request(prepared.body()), "count", int)

    def tokenize(self, text: str, model: str | None) -> Question[list[int]]:
        """Build the call for the token ids of a text."""
        return self._ask(tokenize_request(text, model), "tokens", list[int])

    def detokenize(self, tokens: list[int], model: str | None) -> Question[str]:
        """Build the call for the text of token ids."""
        return self._ask(detokenize_request(tokens, model), "prompt", str)

    def server_info(self) -> Question[ServerInfo]:
        """Build the call for what the server says of itself."""
        return Question(probe_server(self._context))

    def health(self) -> Question[bool]:
        """Build the call for whether the server can work."""
        return Question(self._is_healthy())

    def _is_healthy(self) -> Steps[bool]:
        return (yield from probe(HEALTH, self._context)) is not None

    def _ask(self, request: HttpRequest, member: str, kind: type[T]) -> Question[T]:
        return Question(self._read(request, member, kind))

    def _read(self, request: HttpRequest, member: str, kind: type[T]) -> Steps[T]:
        return read_member((yield from fetch(request, self._context)), member, kind)


def _scrubbed(config: VllmConfig, text: str) -> str:
    return scrub(text, secrets_of(config))
