r"""An answer as LlamaIndex shows it: a whole one, or a stream whose every chunk repeats all that came before.

The deltas `[ReasoningDelta("Hm."), TextDelta("Hel")]`, `[TextDelta("lo"), Finish("stop")]` are two chunks. The first
has the blocks `[ThinkingBlock("Hm."), TextBlock("Hel")]`, `delta` "Hel" and `additional_kwargs["thinking_delta"]`
"Hm."; the second has `[ThinkingBlock("Hm."), TextBlock("Hello")]` and `delta` "lo". Agents keep the last chunk alone,
so it has everything, usage included. Source: ChatResponse and its consumers (llama-index-core 0.14.25).

Blocks are `[ThinkingBlock?, TextBlock?, ToolCallBlock*]`; a message of tool calls alone has no TextBlock. The calls
stand in `message.additional_kwargs["tool_calls"]` as well, where programs and tracers look for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
)
from vllm_connect import (
    Completion,
    Delta,
    Finish,
    InvalidToolCall,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
    fold,
)

from llama_index_vllm.construct import (
    assistant_message,
    chat_response,
    completion_response,
    text_block,
    thinking_block,
    tool_call_block,
)
from llama_index_vllm.partial import PartialObject
from llama_index_vllm.raw import HEAD, Arrival, chunk_raw, response_raw

TOLD = (
    "tool_calls_via",
    "dropped_tool_calls",
    "repaired_tool_calls",
    "thinking_exhausted",
    "advice",
    "retry_reason",
    "non_text_parts",
)
"""What the core says of an answer beside the answer."""

__all__ = ["Answer", "Terms", "to_completion_response"]


class Terms:
    """What an answer is read by.

    Args:
        tools: The request's tools in OpenAI's shape.
        names: What LlamaIndex calls a tool, by its name in the request, where the names differ.
    """

    __slots__ = ("names", "tools")

    def __init__(
        self,
        tools: Sequence[Mapping[str, Any]] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self.tools = tools
        self.names = names or {}

    def whole(self, completions: Sequence[Completion]) -> ChatResponse:
        """Build the response of a whole answer.

        Args:
            completions: The answer, and the others where `n` were asked for; those stand in `raw` alone.
        """
        answer = completions[0]
        logprobs = None if answer.logprobs is None else to_logprobs(answer.logprobs)
        return chat_response(self.message(answer), response_raw(completions), None, logprobs, self.facts(answer))

    def message(self, answer: Completion) -> ChatMessage:
        """Build the message of an ended answer: calls that may be run have dicts, the others their text."""
        calls = [(call.id, call.name, call.parsed(), call.arguments) for call in answer.tool_calls]
        invalid = [(call.id, call.name, call.arguments, call.arguments) for call in answer.invalid_tool_calls]
        shown: list[Any] = [*calls, *invalid]
        tokens = answer.usage.reasoning_tokens if answer.usage else None
        return self.message_of(answer.reasoning, answer.text, shown, tokens)

    def message_of(
        self,
        thinking: str,
        text: str,
        calls: Sequence[tuple[str, str, dict[str, Any] | str, str]],
        thinking_tokens: int | None = None,
    ) -> ChatMessage:
        """Build a message.

        Args:
            thinking: The reasoning.
            text: The answer's text.
            calls: Each call's id, name in the request, arguments, and arguments as the model wrote them.
            thinking_tokens: How many tokens the reasoning took.
        """
        blocks: list[Any] = []
        if thinking:
            blocks.append(thinking_block(thinking, thinking_tokens))
        if text or not calls:
            blocks.append(text_block(text))
        mirror: list[dict[str, Any]] = []
        for call_id, wire_name, kwargs, arguments in calls:
            name = self.names.get(wire_name, wire_name)
            blocks.append(tool_call_block(call_id, name, kwargs))
            mirror.append({"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}})
        return assistant_message(blocks, {"tool_calls": mirror} if mirror else {})

    def facts(self, answer: Completion) -> dict[str, Any]:
        """List what is known of an ended answer beside its message."""
        facts: dict[str, Any] = {"finish_reason": answer.finish_reason}
        if answer.stop_reason is not None:
            facts["stop_reason"] = answer.stop_reason
        if answer.usage is not None:
            facts.update(answer.usage.named())
        facts.update((name, answer.metadata[name]) for name in TOLD if name in answer.metadata)
        invalid = answer.invalid_tool_calls
        if invalid:
            facts["invalid_tool_calls"] = [_described(call) for call in invalid]
        return facts


class Answer:
    """Makes the chunks of one streamed answer.

    Args:
        terms: What it is read by.
    """

    __slots__ = ("_calls", "_finish", "_head", "_metadata", "_terms", "_text", "_thinking", "_usage")

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._text = ""
        self._thinking = ""
        self._calls: list[_Call] = []
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._head: dict[str, Any] = {}
        self._metadata: list[Delta] = []

    def take(self, deltas: Iterable[Delta]) -> ChatResponse | None:
        """Take what arrived together.

        Args:
            deltas: Deltas of one answer.

        Returns:
            The chunk, None where there is nothing to show yet.
        """
        arrived = Arrival()
        shown = False
        for delta in deltas:
            if isinstance(delta, TextDelta):
                arrived.text += delta.text
                shown = True
            elif isinstance(delta, ReasoningDelta):
                arrived.thinking += delta.text
                shown = True
            else:
                shown |= self._take_other(delta, arrived)
        if not shown:
            return None
        if arrived.text:
            self._text += arrived.text
        if arrived.thinking:
            self._thinking += arrived.thinking
        return self._chunk(arrived)

    def _take_other(self, delta: Delta, arrived: Arrival) -> bool:
        """Take a delta that is no text; tell whether there is something to show."""
        if isinstance(delta, ToolCallDelta):
            arrived.fragments.append(delta)
            self._continue_call(delta)
        elif isinstance(delta, Logprobs):
            arrived.tokens = [*(arrived.tokens or ()), *delta.tokens]
        elif isinstance(delta, Finish):
            self._finish = delta
        elif isinstance(delta, UsageReport):
            self._usage = delta.usage
        elif isinstance(delta, Metadata):
            self._metadata.append(delta)
            self._head.update((name, value) for name, value in delta.values.items() if name in HEAD)
            arrived.extras.update((name, value) for name, value in delta.values.items() if name not in HEAD)
            return bool(arrived.extras)
        return True

    def _chunk(self, arrived: Arrival) -> ChatResponse:
        terms = self._terms
        facts: dict[str, Any] = {"thinking_delta": arrived.thinking}
        if self._finish is None:
            message = terms.message_of(self._thinking, self._text, [call.shown() for call in self._calls])
            if self._usage is not None:
                facts.update(self._usage.named())
        else:
            answer = self.completion()
            message = terms.message(answer)
            facts.update(terms.facts(answer))
        raw = chunk_raw(arrived, self._head, self._finish, self._usage)
        logprobs = None if arrived.tokens is None else to_logprobs(arrived.tokens)
        return chat_response(message, raw, arrived.text, logprobs, facts)

    def completion(self) -> Completion:
        """Fold all that has come, with the verdict on every tool call."""
        deltas: list[Delta] = [*self._metadata, ReasoningDelta(self._thinking), TextDelta(self._text)]
        deltas.extend(call.whole() for call in self._calls)
        if self._finish is not None:
            deltas.append(self._finish)
        if self._usage is not None:
            deltas.append(UsageReport(self._usage))
        return fold(deltas, tools=self._terms.tools)

    def _continue_call(self, delta: ToolCallDelta) -> None:
        calls = self._calls
        while delta.index >= len(calls):
            calls.append(_Call(len(calls)))
        calls[delta.index].add(delta)


class _Call:
    """A tool call while it is being written."""

    __slots__ = ("arguments", "ended", "id", "index", "name", "partial")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments = ""
        self.ended: bool | None = None
        self.partial = PartialObject()

    def add(self, delta: ToolCallDelta) -> None:
        self.id = self.id or delta.id or ""
        self.name = self.name or delta.name or ""
        self.ended = self.ended if delta.ended is None else delta.ended
        if delta.arguments:
            self.arguments += delta.arguments
            self.partial.read(self.arguments)

    def shown(self) -> tuple[str, str, dict[str, Any], str]:
        return self.id, self.name, dict(self.partial.value), self.arguments

    def whole(self) -> ToolCallDelta:
        return ToolCallDelta(self.index, self.id, self.name, self.arguments, ended=self.ended)


def to_logprobs(tokens: Iterable[Mapping[str, Any]]) -> list[list[LogProb]]:
    """Turn the server's log probabilities into LlamaIndex's.

    Args:
        tokens: One `{"token", "logprob", "bytes", "top_logprobs"}` for each token.

    Returns:
        For each token its alternatives, the token alone where none were asked for.
    """
    return [[_logprob(entry) for entry in token.get("top_logprobs") or (token,)] for token in tokens]


def to_completion_response(response: ChatResponse) -> CompletionResponse:
    """Show an answer as that of a completion; its reasoning and its calls stay in `raw`."""
    text = response.message.content or ""
    return completion_response(text, response.raw, response.delta, response.logprobs, response.additional_kwargs)


def _logprob(entry: Mapping[str, Any]) -> LogProb:
    return LogProb(token=entry["token"], logprob=entry["logprob"], bytes=entry.get("bytes") or [])


def _described(call: InvalidToolCall) -> dict[str, Any]:
    return {name: getattr(call, name) for name in call.__struct_fields__}
