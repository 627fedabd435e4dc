"""The calls a client can make, as exchanges: what both clients say to a server, and what they learn of it."""

import random
import time
from functools import partial
from typing import Any

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.chat_exchange import ChatExchange
from vllm_connect.chat.errands import json_post, member
from vllm_connect.chat.exchange import Exchange, Terms
from vllm_connect.chat.filters.token_ids import prompt_body
from vllm_connect.chat.prepare import fit_messages
from vllm_connect.config.config import VllmConfig, scrub, secrets_of
from vllm_connect.errors import StreamingDisabledError
from vllm_connect.parsing.ids import new_call_id
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.protocol.server_info import PROBES, ServerInfo
from vllm_connect.request.chat_request import ChatRequest, Version
from vllm_connect.transport.retry import RetryPolicy, budget_of

__all__ = ["Endpoints"]


class Endpoints:
    """Makes the exchanges of a client and keeps what they teach; clients of one server may share it.

    Args:
        config: Where the server is and how to talk to it.

    Attributes:
        info: What is known of the server, None before it was asked.
        capabilities: What calls have taught about the server.
    """

    def __init__(self, config: VllmConfig) -> None:
        self._config = config
        self._terms = Terms(
            RetryPolicy(config, random.random), budget_of(config.base_url), partial(_scrubbed, config), time.time
        )
        self.capabilities = ServerCapabilities()
        self.info: ServerInfo | None = None

    def stream(self, request: ChatRequest, version: Version | None) -> ChatExchange:
        """Ask for a stream.

        Raises:
            StreamingDisabledError: The configuration forbids it.
        """
        if not self._config.streaming_allowed:
            raise StreamingDisabledError(
                "streaming is forbidden by streaming_allowed=False: call complete or invoke, or allow it"
            )
        return self._chat(request if request.stream else request.model_copy(update={"stream": True}), version)

    def complete(self, request: ChatRequest, version: Version | None) -> ChatExchange:
        """Ask for a whole answer."""
        whole = {"stream": False, "stream_options": None}
        return self._chat(request.model_copy(update=whole) if request.stream else request, version)

    def tokenize_chat(self, request: ChatRequest) -> Exchange:
        """Ask how many tokens a request's prompt has, its messages as they would be sent."""
        request.check_messages()
        fitted = fit_messages(request, self.capabilities).messages
        return self._post("/tokenize", prompt_body(request.model_copy(update={"messages": fitted}).body()))

    def tokenize(self, text: str, model: str | None) -> Exchange:
        """Ask for the token ids of a text."""
        return self._post("/tokenize", {"model": model, "prompt": text, "add_special_tokens": False})

    def detokenize(self, tokens: list[int], model: str | None) -> Exchange:
        """Ask for the text of token ids."""
        return self._post("/detokenize", {"model": model, "tokens": tokens})

    def probes(self) -> list[Exchange]:
        """Ask which server this is; `learn` takes the answers in this order."""
        return [Exchange(probe, self._terms) for probe in PROBES]

    def health(self) -> Exchange:
        """Ask whether the server can work."""
        return self._get("/health")

    def learn(self, answers: list[bytes | None]) -> ServerInfo:
        """Take the answers of `probes`, each None where there was none."""
        self.info = ServerInfo.read(answers)
        self.capabilities.roots = {card.id: card.root or card.id for card in self.info.models}
        return self.info

    def read_count(self, body: bytes) -> int:
        """Read the number of tokens out of an answer of /tokenize."""
        return member(body, "count", int)

    def read_tokens(self, body: bytes) -> list[int]:
        """Read the token ids out of an answer of /tokenize."""
        return member(body, "tokens", list[int])

    def read_text(self, body: bytes) -> str:
        """Read the text out of an answer of /detokenize."""
        return member(body, "prompt", str)

    def _chat(self, request: ChatRequest, version: Version | None) -> ChatExchange:
        return ChatExchange(request, self._terms, capabilities=self.capabilities, new_id=new_call_id, version=version)

    def _post(self, path: str, body: dict[str, Any]) -> Exchange:
        return Exchange(json_post(path, body), self._terms)

    def _get(self, path: str) -> Exchange:
        return Exchange(HttpRequest("GET", path), self._terms)


def _scrubbed(config: VllmConfig, text: str) -> str:
    return scrub(text, secrets_of(config))
