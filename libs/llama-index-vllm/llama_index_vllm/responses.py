r"""LlamaIndex's responses: of a complete answer, or of a stream whose every chunk repeats what came before.

The deltas `[ReasoningDelta("Hm."), TextDelta("Hel")]`, `[TextDelta("lo"), Finish("stop")]` are two chunks. The first
has the blocks `[ThinkingBlock("Hm."), TextBlock("Hel")]`, `delta` "Hel" and `additional_kwargs["thinking_delta"]`
"Hm."; the second has `[ThinkingBlock("Hm."), TextBlock("Hello")]` and `delta` "lo". Agents keep only the last chunk, so
it has everything, usage included. Source: ChatResponse and its consumers (llama-index-core 0.14.25).

Blocks are `[ThinkingBlock?, TextBlock?, ToolCallBlock*]`; a message of tool calls only has no TextBlock. The calls are in
`message.additional_kwargs["tool_calls"]` as well, where programs and tracers look for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
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
from vllm_connect.adapters import PartialObject, metadata, unvalidated

from llama_index_vllm.raw_response import Batch, raw_chunk, raw_response

METADATA = (*metadata.FROM_CLIENT, "non_text_parts", "refused")
"""Keys of a completion's metadata that are copied to a response's `additional_kwargs`; `raw` has all of them."""

__all__ = ["ResponseChunks", "ResponseConverter", "to_completion_response"]


class ResponseConverter:
    """Converts the completions of one call to responses.

    Args:
        tools: The request's tools in OpenAI's format.
        tool_names: LlamaIndex's names of tools, by their names in the request, if they differ.
    """

    __slots__ = ("tool_names", "tools")

    def __init__(
        self,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_names: Mapping[str, str] | None = None,
    ) -> None:
        self.tools = tools
        self.tool_names = tool_names or {}

    def response(self, completions: Sequence[Completion]) -> ChatResponse:
        """Build the response of a complete answer.

        Args:
            completions: The answer, and the others if `n` were requested; those are in `raw` only.
        """
        answer = completions[0]
        logprobs = None if answer.logprobs is None else to_logprobs(answer.logprobs)
        message, facts = self.message(answer), self.additional_kwargs(answer)
        return chat_response(message, raw_response(completions), None, logprobs, facts)

    def message(self, answer: Completion) -> ChatMessage:
        """Build the message of a complete answer; the arguments of valid calls are dicts, those of invalid calls text."""
        valid = [(call.id, call.name, call.parsed(), call.arguments) for call in answer.tool_calls]
        invalid = [(call.id, call.name, call.arguments, call.arguments) for call in answer.invalid_tool_calls]
        calls: list[Any] = [*valid, *invalid]
        tokens = answer.usage.reasoning_tokens if answer.usage else None
        return self.build_message(answer.reasoning, answer.text, calls, tokens)

    def build_message(
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
            thinking_tokens: The number of tokens of the reasoning.
        """
        blocks: list[Any] = []
        if thinking:
            blocks.append(thinking_block(thinking, thinking_tokens))
        if text or not calls:
            blocks.append(text_block(text))
        openai_calls: list[dict[str, Any]] = []
        for call_id, wire_name, kwargs, arguments in calls:
            name = self.tool_names.get(wire_name, wire_name)
            blocks.append(tool_call_block(call_id, name, kwargs))
            openai_calls.append({"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}})
        return assistant_message(blocks, {"tool_calls": openai_calls} if openai_calls else {})

    def additional_kwargs(self, answer: Completion) -> dict[str, Any]:
        """Return the facts of a complete answer that are not in its message."""
        facts: dict[str, Any] = {"finish_reason": answer.finish_reason}
        if answer.stop_reason is not None:
            facts["stop_reason"] = answer.stop_reason
        if answer.usage is not None:
            facts.update(answer.usage.named())
        facts.update((name, answer.metadata[name]) for name in METADATA if name in answer.metadata)
        if answer.invalid_tool_calls:
            facts["invalid_tool_calls"] = [_invalid_call(call) for call in answer.invalid_tool_calls]
        return facts


class ResponseChunks:
    """Converts the deltas of one answer to the chunks of a stream.

    Args:
        converter: Converts the complete answer.
    """

    __slots__ = ("_calls", "_common", "_converter", "_finish", "_metadata", "_text", "_thinking", "_usage")

    def __init__(self, converter: ResponseConverter) -> None:
        self._converter = converter
        self._text = ""
        self._thinking = ""
        self._calls: list[_PartialCall] = []
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._common: dict[str, Any] = {}
        self._metadata: list[Delta] = []

    def push(self, deltas: Iterable[Delta]) -> ChatResponse | None:
        """Convert deltas that arrived together.

        Args:
            deltas: Deltas of one answer.

        Returns:
            The chunk, None if there is nothing to show yet.
        """
        batch = Batch()
        shown = False
        for delta in deltas:
            if isinstance(delta, TextDelta):
                if delta.replaces:
                    self._take_back(batch)
                batch.text += delta.text
                shown = True
            elif isinstance(delta, ReasoningDelta):
                if delta.replaces:
                    self._take_back(batch)
                    self._thinking = delta.text
                else:
                    batch.thinking += delta.text
                shown = True
            else:
                shown |= self._push_other(delta, batch)
        if not shown:
            return None
        if batch.text:
            self._text += batch.text
        if batch.thinking:
            self._thinking += batch.thinking
        return self._chunk(batch)

    def _take_back(self, batch: Batch) -> None:
        """Remove text and reasoning that the next delta replaces."""
        self._text = self._thinking = batch.text = batch.thinking = ""

    def _push_other(self, delta: Delta, batch: Batch) -> bool:
        """Read a delta that is not text; return whether there is something to show."""
        if isinstance(delta, ToolCallDelta):
            batch.calls.append(delta)
            self._push_call(delta)
        elif isinstance(delta, Logprobs):
            batch.logprobs = [*(batch.logprobs or ()), *delta.tokens]
        elif isinstance(delta, Finish):
            self._finish = delta
        elif isinstance(delta, UsageReport):
            self._usage = delta.usage
        elif isinstance(delta, Metadata):
            self._metadata.append(delta)
            self._common.update((name, value) for name, value in delta.values.items() if name in metadata.OPENING)
            batch.metadata.update((name, value) for name, value in delta.values.items() if name not in metadata.OPENING)
            return bool(batch.metadata)
        return True

    def _push_call(self, delta: ToolCallDelta) -> None:
        calls = self._calls
        while delta.index >= len(calls):
            calls.append(_PartialCall(len(calls)))
        calls[delta.index].push(delta)

    def _chunk(self, batch: Batch) -> ChatResponse:
        converter = self._converter
        facts: dict[str, Any] = {"thinking_delta": batch.thinking}
        if self._finish is None:
            message = converter.build_message(self._thinking, self._text, [call.shown() for call in self._calls])
            if self._usage is not None:
                facts.update(self._usage.named())
        else:
            answer = self._completion()
            message = converter.message(answer)
            facts.update(converter.additional_kwargs(answer))
        raw = raw_chunk(batch, self._common, self._finish, self._usage)
        logprobs = None if batch.logprobs is None else to_logprobs(batch.logprobs)
        return chat_response(message, raw, batch.text, logprobs, facts)

    def _completion(self) -> Completion:
        """Fold all that has arrived, which validates every tool call."""
        deltas: list[Delta] = [*self._metadata, ReasoningDelta(self._thinking), TextDelta(self._text)]
        deltas.extend(call.delta() for call in self._calls)
        if self._finish is not None:
            deltas.append(self._finish)
        if self._usage is not None:
            deltas.append(UsageReport(self._usage))
        return fold(deltas, tools=self._converter.tools)


class _PartialCall:
    """A tool call that is still being written."""

    __slots__ = ("_parsed", "arguments", "ended", "id", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments = ""
        self.ended: bool | None = None
        self._parsed = PartialObject()

    def push(self, delta: ToolCallDelta) -> None:
        self.id = self.id or delta.id or ""
        self.name = self.name or delta.name or ""
        self.ended = self.ended if delta.ended is None else delta.ended
        if delta.arguments:
            self.arguments += delta.arguments
            self._parsed.update(self.arguments)

    def shown(self) -> tuple[str, str, dict[str, Any], str]:
        return self.id, self.name, dict(self._parsed.value), self.arguments

    def delta(self) -> ToolCallDelta:
        return ToolCallDelta(self.index, self.id, self.name, self.arguments, ended=self.ended)


def to_logprobs(tokens: Iterable[Mapping[str, Any]]) -> list[list[LogProb]]:
    """Convert the server's log probabilities to LlamaIndex's.

    Args:
        tokens: One `{"token", "logprob", "bytes", "top_logprobs"}` for each token.

    Returns:
        For each token its alternatives, only the token itself if none were requested. What has another format is in `raw`
        only.
    """
    return [_alternatives(token) for token in tokens]


def to_completion_response(response: ChatResponse) -> CompletionResponse:
    """Convert a chat response to that of a completion; its reasoning and its calls are in `raw` only."""
    text = response.message.content or ""
    return completion_response(text, response.raw, response.delta, response.logprobs, response.additional_kwargs)


def _alternatives(token: Mapping[str, Any]) -> list[LogProb]:
    listed = token.get("top_logprobs")
    found = []
    for entry in listed if isinstance(listed, list) and listed else [token]:
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            found.append(LogProb(token=entry["token"], logprob=entry["logprob"], bytes=entry.get("bytes") or []))
    return found


def _invalid_call(call: InvalidToolCall) -> dict[str, Any]:
    return {name: getattr(call, name) for name in call.__struct_fields__}


# Objects without validation


def chat_response(
    message: ChatMessage,
    raw: dict[str, Any],
    delta: str | None,
    logprobs: list[list[LogProb]] | None,
    additional_kwargs: dict[str, Any],
) -> ChatResponse:
    """Build a response, as `ChatResponse(...)` does."""
    values = {
        "message": message,
        "raw": raw,
        "delta": delta,
        "logprobs": logprobs,
        "additional_kwargs": additional_kwargs,
    }
    return unvalidated(ChatResponse, values, set(values))


def assistant_message(blocks: list[Any], additional_kwargs: dict[str, Any]) -> ChatMessage:
    """Build a message of the assistant, as `ChatMessage(...)` does."""
    values = {"role": MessageRole.ASSISTANT, "additional_kwargs": additional_kwargs, "blocks": blocks}
    return unvalidated(ChatMessage, values, set(values))


def text_block(text: str) -> TextBlock:
    """Build a block of text, as `TextBlock(...)` does."""
    return unvalidated(TextBlock, {"block_type": "text", "text": text}, {"text"})


def thinking_block(content: str, num_tokens: int | None) -> ThinkingBlock:
    """Build a block of reasoning, as `ThinkingBlock(...)` does."""
    values: dict[str, Any] = {
        "block_type": "thinking",
        "content": content,
        "num_tokens": num_tokens,
        "additional_information": {},
    }
    return unvalidated(ThinkingBlock, values, {"content", "num_tokens"})


def tool_call_block(tool_call_id: str, tool_name: str, tool_kwargs: dict[str, Any] | str) -> ToolCallBlock:
    """Build a block of a tool call, as `ToolCallBlock(...)` does."""
    values = {
        "block_type": "tool_call",
        "tool_call_id": tool_call_id,
        "tool_name": tool_name,
        "tool_kwargs": tool_kwargs,
    }
    return unvalidated(ToolCallBlock, values, {"tool_call_id", "tool_name", "tool_kwargs"})


def completion_response(
    text: str,
    raw: dict[str, Any] | None,
    delta: str | None,
    logprobs: list[list[LogProb]] | None,
    additional_kwargs: dict[str, Any],
) -> CompletionResponse:
    """Build a response, as `CompletionResponse(...)` does."""
    values = {"text": text, "additional_kwargs": additional_kwargs, "raw": raw, "logprobs": logprobs, "delta": delta}
    return unvalidated(CompletionResponse, values, set(values))
