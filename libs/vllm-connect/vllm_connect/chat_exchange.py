"""One call to the chat endpoint: the exchange whose reply is read as it comes.

A second try in another form, such as parsing tool calls here because the server has no parser, is a round like a retry.
"""

from collections.abc import Callable, Mapping

import msgspec

from vllm_connect.deltas import Delta
from vllm_connect.errors import BadRequestError, ContextOverflowError, ToolParserMissingError, VllmError
from vllm_connect.exchange import OK, Exchange, Terms
from vllm_connect.request import ChatRequest, Version
from vllm_connect.server import read_models
from vllm_connect.strategy import Knowledge, plan_answer
from vllm_connect.stream import EVENT_STREAM, ChatStream
from vllm_connect.wire.http import HttpRequest

__all__ = ["ChatExchange"]

CHAT_PATH = "/v1/chat/completions"
MODELS_PATH = "/v1/models"
READABLE = (EVENT_STREAM, "application/json")


class ChatExchange(Exchange):
    """A chat request whose answer is given as deltas.

    Args:
        request: What is asked.
        terms: What all calls of the client have in common.
        knowledge: What is known of the server; learns from this call.
        new_id: Makes an id, from a tool's name and the call's index, for a call that has none.
        version: The server's version, None for the newest.
    """

    def __init__(
        self,
        request: ChatRequest,
        terms: Terms,
        *,
        knowledge: Knowledge,
        new_id: Callable[[str, int], str],
        version: Version | None = None,
    ) -> None:
        self._request = request
        self._knowledge = knowledge
        self._new_id = new_id
        self._version = version
        self._stream: ChatStream | None = None
        self._asks_models = False
        self._plan = plan_answer(request, knowledge, version)
        super().__init__(self._encoded(), terms)

    def request(self) -> HttpRequest:
        """Begin a round: give the request to send."""
        self._stream = None
        request = super().request()
        return HttpRequest("GET", MODELS_PATH) if self._asks_models else request

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of the reply, and choose how its body is read."""
        super().answered(status, headers)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if status == OK and kind in READABLE and not self._asks_models:
            self._stream = ChatStream(
                kind,
                choices=self._request.n or 1,
                new_filter=self._plan.new_filter,
                new_id=self._new_id,
            )

    def feed(self, data: bytes) -> list[Delta]:
        """Take a piece of the body; give the deltas it completes."""
        if self._stream is None:
            return super().feed(data)
        deltas = self._stream.feed(data)
        self.done = self._stream.done
        return deltas

    def end(self) -> list[Delta]:
        """Take the end of the body; give the deltas held back."""
        return super().end() if self._stream is None else self._stream.end()

    def verify(self) -> None:
        """Conclude the round; see `Exchange.verify`."""
        if self._asks_models:
            body = b"".join(self._pieces) if self._status == OK else None
            self._learn_models(body)
            return
        if self._stream is None:
            if self._status == OK:
                raise self._refusal(b"".join(self._pieces))
            super().verify()
            return
        if self._stream.failure is not None:
            raise self._stream.failure
        self._succeed()

    def failed(self, error: VllmError, left: float) -> float:
        """Take what went wrong in a round; see `Exchange.failed`."""
        if self._asks_models:
            self._learn_models(None)
            return 0.0
        if self._stream is not None and self._stream.deltas:
            error.partial = error.partial or self._stream.partial()
            self._give_up(error)
        if isinstance(error, ToolParserMissingError) and self._plan.retries_without_parser:
            self._knowledge.learn_no_tool_parser(self._request.model)
            self._asks_models = self._knowledge.roots is None
            if not self._asks_models:
                self._replan()
            return 0.0
        if isinstance(error, BadRequestError) and not isinstance(error, ContextOverflowError) and self._plan.native:
            self._knowledge.takes_structural_tags = False
            self._replan()
            return 0.0
        return super().failed(error, left)

    def _learn_models(self, body: bytes | None) -> None:
        """Take the answer of /v1/models, which tells what is really served under an alias."""
        self._asks_models = False
        self._knowledge.roots = {card.id: card.root or card.id for card in read_models(body)}
        self._replan()

    def _replan(self) -> None:
        self._plan = plan_answer(self._request, self._knowledge, self._version)
        self._http_request = self._encoded()

    def _encoded(self) -> HttpRequest:
        headers = {"content-type": "application/json"}
        if self._request.stream:
            headers["accept"] = EVENT_STREAM
        body = msgspec.json.encode(self._plan.body)
        return HttpRequest("POST", CHAT_PATH, body, headers, streaming=self._request.stream)
