"""One call to the chat endpoint: the exchange whose reply is read as it comes.

A second try in another form, such as parsing tool calls here because the server has no parser, is a round like a retry,
and so is a question beside the chat, such as the text of the answer's token ids.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.errands import Errand, json_post, member, refuse
from vllm_connect.chat.exchange import OK, Exchange, Terms
from vllm_connect.chat.filters.json_extraction import JsonExtraction
from vllm_connect.chat.filters.token_ids import TokenIdsFilter, completions_body, tokenize_body
from vllm_connect.chat.filters.tool_parsing import ParsingFilter
from vllm_connect.chat.filters.two_phase import TwoPhases
from vllm_connect.chat.plan import plan_answer
from vllm_connect.chat.prepare import fit_messages
from vllm_connect.chat.schema_warnings import warn_of_unsupported_keywords
from vllm_connect.chat.strict_tools import may_be_loose, would_be_held
from vllm_connect.chat.validation import promises_anything, verify_answer
from vllm_connect.conversation.message_policy import apply_policy, learned_policies
from vllm_connect.errors import BadRequestError, ContextOverflowError, ToolParserMissingError, VllmError
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.protocol.server_info import read_models
from vllm_connect.protocol.stream import EVENT_STREAM, ChatStream, DeltaFilter
from vllm_connect.request.chat_request import ChatRequest, Version
from vllm_connect.response.completion import fold_choices
from vllm_connect.response.deltas import Delta, Metadata, ReasoningDelta, Usage, UsageReport

__all__ = ["ChatExchange"]

logger = logging.getLogger("vllm_connect")

CHAT_PATH = "/v1/chat/completions"
COMPLETIONS_PATH = "/v1/completions"
MODELS_PATH = "/v1/models"
READABLE = (EVENT_STREAM, "application/json")
UNSAID_TOKENS = 8
"""Tokens beyond the reasoning's that an answer without words may have: tags, line ends, the end token."""


class ChatExchange(Exchange):
    """A chat request whose answer is given as deltas.

    Args:
        request: What is asked.
        terms: What all calls of the client have in common.
        capabilities: What is known of the server; learns from this call.
        new_id: Makes an id, from a tool's name and the call's index, for a call that has none.
        version: The server's version, None for the newest.
    """

    def __init__(
        self,
        request: ChatRequest,
        terms: Terms,
        *,
        capabilities: ServerCapabilities,
        new_id: Callable[[str, int], str],
        version: Version | None = None,
    ) -> None:
        request.check_messages()
        self._asked = request
        self._spent: Usage | None = None
        self._capabilities = capabilities
        self._new_id = new_id
        self._version = version
        self._stream: ChatStream | None = None
        self._errands: list[Errand] = []
        self._again = False
        self._untagged = False
        self._heard: dict[int, str] = {}
        self._answered = False
        self._extraction = JsonExtraction() if request.extract_json else None
        self._fit()
        for note in self._fitted.changes.get("history_repaired", ()):
            logger.warning("history repaired: %s", note)
        self._plan = plan_answer(self._request, capabilities, version)
        warn_of_unsupported_keywords(request, capabilities.schemas)
        super().__init__(self._encoded(), terms)
        self._prepare()

    def _fit(self) -> None:
        """Put the conversation into a form and an order that the server takes."""
        self._fitted = fit_messages(self._asked, self._capabilities)
        request = self._asked
        if self._fitted.messages != request.messages:
            request = request.model_copy(update={"messages": self._fitted.messages})
        self._phases = TwoPhases(request) if TwoPhases.needed(request) else None
        self._request = request if self._phases is None else self._phases.first

    def request(self) -> HttpRequest:
        """Begin a round: give the request to send."""
        request = super().request()
        if self._errands:
            return self._errands[0].request
        self._stream = None
        return request

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head of the reply, and choose how its body is read."""
        super().answered(status, headers)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if status == OK and kind in READABLE and not self._errands:
            made = self._plan.new_filter
            self._stream = ChatStream(
                kind,
                choices=self._request.n or 1,
                new_filter=None if made is None else partial(_new_filter, made, self._heard),
                new_id=self._new_id,
            )

    def feed(self, data: bytes) -> list[Delta]:
        """Take a piece of the body; give the deltas it completes."""
        if self._stream is None or self._errands:
            return super().feed(data)
        deltas = self._stream.feed(data)
        self.done = self._stream.done
        deltas = self._told(deltas)
        return deltas if self._extraction is None else self._extraction.hold(deltas)

    def end(self) -> list[Delta]:
        """Take the end of the body; give the deltas held back."""
        deltas = self._end()
        return deltas if self._extraction is None else self._extraction.hold(deltas) + self._extraction.release()

    def _end(self) -> list[Delta]:
        if self._errands:
            super().end()
            deltas = self._errands[0].take(b"".join(self._pieces)) if self._status == OK else []
            if self._stream is None:
                return deltas
            self._stream.deltas.extend(deltas)
            return self._told(deltas) + (self._decided(self._stream) if len(self._errands) == 1 else [])
        if self._stream is None:
            return super().end()
        deltas = self._told(self._stream.end())
        if self._stream.failure is not None:
            return deltas + (self._phases.released() if self._phases is not None else [])
        if self._loosely_forced(self._stream) and not self._request.stream:
            self._once_more(self._stream)
            return [Metadata({"retry_reason": "the arguments of a forced call did not fit their schema"})]
        deltas += self._told(self._concluded(self._stream))
        if self._fitted.changes:
            deltas.append(Metadata(self._fitted.changes))
        return deltas if self._again or self._held(self._stream) else deltas + self._decided(self._stream)

    def verify(self) -> None:
        """Conclude the round; see `Exchange.verify`."""
        if self._errands:
            if self._failure is not None:
                raise self._failure
            if self._status != OK:
                raise self._refusal()
            self._done_with_errand()
            return
        if self._stream is None:
            if self._status == OK:
                raise self._refusal()
            super().verify()
            return
        if self._stream.failure is not None:
            raise self._stream.failure
        self._answered = True
        if not self._again:
            self._errands = [self._detokenize(held) for held in self._held(self._stream)]
        if not self._errands:
            self._conclude()

    def failed(self, error: VllmError, left: float) -> float:
        """Take what went wrong in a round; see `Exchange.failed`."""
        if self._errands:
            return self._errand_failed(error, left)
        if self._stream is not None and self._stream.deltas:
            error.partial = error.partial or self._stream.partial()
            self._give_up(error)
        if isinstance(error, ToolParserMissingError) and self._plan.retries_without_parser:
            self._capabilities.learn_no_tool_parser(self._request.model)
            if self._capabilities.roots is None:
                self._errands = [self._ask_models()]
            else:
                self._next_round()
            return 0.0
        if isinstance(error, BadRequestError) and self._learns_policy(error):
            return 0.0
        if isinstance(error, BadRequestError) and not isinstance(error, ContextOverflowError) and self._plan.native:
            self._capabilities.takes_structural_tags = False
            self._untagged = True
            self._next_round()
            return 0.0
        if isinstance(error, BadRequestError) and self._untagged:
            self._capabilities.takes_structural_tags = True  # it was something else that the server refused
        return super().failed(error, left)

    def _learns_policy(self, error: BadRequestError) -> bool:
        """Learn from the template's complaint how the conversation must be; True if it is now another."""
        if self._asked.message_policy != "auto":
            return False
        messages = self._request.messages
        candidates = learned_policies(self._fitted.policy, error.message)
        learned = next((policy for policy in candidates if apply_policy(messages, policy) != messages), None)
        if learned is None:
            return False
        self._capabilities.learn_policy(self._asked.model, learned)
        self._fit()
        self._next_round()
        return True

    def _errand_failed(self, error: VllmError, left: float) -> float:
        try:
            return super().failed(error, left)
        except VllmError as final:
            final.partial = self._stream.partial() if self._stream is not None else None
            self._errands[0].missed(final)
        self._done_with_errand()
        return 0.0

    def _done_with_errand(self) -> None:
        del self._errands[0]
        self._attempts = 0
        if self._answered and not self._errands:
            self._conclude()

    def _told(self, deltas: list[Delta]) -> list[Delta]:
        """Give what may be told now, the usage of earlier rounds counted in."""
        if self._spent is not None:
            deltas = [
                UsageReport(_sum(self._spent, d.usage), d.choice) if isinstance(d, UsageReport) else d for d in deltas
            ]
        return deltas if self._phases is None else self._phases.hold(deltas)

    def _decided(self, stream: ChatStream) -> list[Delta]:
        """Say whether what came is the answer, or the first of two."""
        if self._phases is None:
            return []
        phases, self._phases = self._phases, None
        if phases.accepts(fold_choices(stream.deltas, tools=self._request.tools)):
            return phases.released()
        self._request = phases.second
        self._once_more(stream)
        return phases.set_aside()

    def _loosely_forced(self, stream: ChatStream) -> bool:
        """See that the server forced a call and not its arguments, and remember it."""
        if self._capabilities.wants_strict(self._request.model) or not may_be_loose(self._request):
            return False
        loose = would_be_held(self._request, fold_choices(stream.deltas, tools=self._request.tools))
        if loose:
            self._capabilities.learn_strict(self._request.model)
        return loose

    def _once_more(self, stream: ChatStream) -> None:
        self._again = True
        self._spent = next((d.usage for d in reversed(stream.deltas) if isinstance(d, UsageReport)), None)

    def _conclude(self) -> None:
        """Hold the answer against what was asked; what is broken is an error."""
        if self._again:
            self._again = self._answered = False
            self._next_round()
            return
        if self._stream is not None and promises_anything(self._request):
            for answer in fold_choices(self._stream.deltas, tools=self._request.tools):
                verify_answer(self._request, answer)
        self._succeed()

    def _ask_models(self) -> Errand:
        """Ask what is really served under an alias; no answer is an answer."""

        def learn(body: bytes | None) -> list[Delta]:
            self._capabilities.roots = {card.id: card.root or card.id for card in read_models(body)}
            self._next_round()
            return []

        def missed(_: VllmError) -> None:
            learn(None)

        return Errand(HttpRequest("GET", MODELS_PATH), learn, missed)

    def _prepare(self) -> None:
        """Ask for the prompt's tokens where the answer is to come from the completions endpoint."""
        if self._plan.text_source != "completions":
            return
        request = json_post("/tokenize", tokenize_body(self._request, self._plan.body))

        def take(body: bytes) -> list[Delta]:
            window = member(body, "max_model_len", object)
            tokens = member(body, "tokens", list[int])
            sent = completions_body(self._plan.body, tokens, window if isinstance(window, int) else None)
            self._http_request = json_post(COMPLETIONS_PATH, sent, streaming=self._request.stream)
            return []

        self._errands.append(Errand(request, take, refuse('text_source="completions" needs /tokenize')))

    def _detokenize(self, held: TokenIdsFilter) -> Errand:
        """Ask for the words of an answer that has come as token ids."""
        request = json_post("/detokenize", {"model": self._request.model, "tokens": held.tokens()})

        def take(body: bytes) -> list[Delta]:
            return held.read(member(body, "prompt", str))

        return Errand(
            request, take, refuse('text_source="token_ids" needs /detokenize: let it through, or take "content"')
        )

    @staticmethod
    def _held(stream: ChatStream) -> list[TokenIdsFilter]:
        return [held for held in stream.filters.values() if isinstance(held, TokenIdsFilter)]

    def _concluded(self, stream: ChatStream) -> list[Delta]:
        """Let the ends go that filters hold back, or see that the server ate what the model wrote, and ask again."""
        filters = [held for held in stream.filters.values() if isinstance(held, ParsingFilter)]
        ends = [delta for held in filters for delta in held.silent]
        if filters and all(held.silent for held in filters) and self._unsaid(stream.deltas) > UNSAID_TOKENS:
            self._capabilities.learn_eaten_calls(self._request.model)
            self._once_more(stream)
            self._heard = {index: self._reasoning(stream.deltas, index) for index in stream.filters}
            return [Metadata({"retry_reason": "the server's parser ate the first answer"})]
        stream.deltas.extend(ends)
        return ends

    @staticmethod
    def _reasoning(deltas: list[Delta], choice: int) -> str:
        return "".join(d.text for d in deltas if isinstance(d, ReasoningDelta) and d.choice == choice)

    @staticmethod
    def _unsaid(deltas: list[Delta]) -> int:
        """Count the tokens that were generated and are in no reasoning; there is no text."""
        usage = next((delta.usage for delta in reversed(deltas) if isinstance(delta, UsageReport)), None)
        if usage is None:
            return 0
        told = usage.reasoning_tokens
        spoken = told if told is not None else sum(len(d.text) for d in deltas if isinstance(d, ReasoningDelta))
        return usage.completion_tokens - spoken

    def _next_round(self) -> None:
        self._plan = plan_answer(self._request, self._capabilities, self._version)
        self._http_request = self._encoded()
        self._prepare()

    def _encoded(self) -> HttpRequest:
        headers = {"content-type": "application/json"}
        if self._request.stream:
            headers["accept"] = EVENT_STREAM
        body = msgspec.json.encode(self._plan.body)
        return HttpRequest("POST", CHAT_PATH, body, headers, streaming=self._request.stream)


def _new_filter(make: Callable[[int], DeltaFilter | None], heard: Mapping[int, str], choice: int) -> DeltaFilter | None:
    """Make the filter of a choice; no method, since a stream that held its exchange would be left to the collector."""
    made = make(choice)
    if isinstance(made, TokenIdsFilter):
        made.heard = heard.get(choice, "")
    return made


def _sum(one: Usage, other: Usage) -> Usage:
    def add(a: int | None, b: int | None) -> int | None:
        return None if a is None and b is None else (a or 0) + (b or 0)

    return Usage(*(add(getattr(one, name), getattr(other, name)) for name in Usage.__struct_fields__))  # type: ignore[arg-type] # only those that may be None are
