"""The `raw` of a response: the server's answer in OpenAI's format, as plain dicts.

`{"id": "chatcmpl-1", "model": "demo", "object": "chat.completion", "choices": [{"index": 0, "message": {"role":
"assistant", "content": "Hello"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, …}}`. Tracers and token
counters read it; the key `usage` is always there. A chunk has what arrived with it, not what arrived before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vllm_connect import Completion, Finish, InvalidToolCall, ToolCall, ToolCallDelta, Usage

__all__ = ["Batch", "raw_chunk", "raw_response"]


def raw_usage(usage: Usage) -> dict[str, Any]:
    """Convert token counts to OpenAI's format; counts that the server did not report are left out."""
    raw: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        raw["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        raw["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return raw


class Batch:
    """The deltas that arrived together, by kind.

    Attributes:
        text: Text.
        thinking: Reasoning.
        calls: Pieces of tool calls.
        logprobs: Log probabilities, None if there were none.
        metadata: Further facts of the response.
    """

    __slots__ = ("calls", "logprobs", "metadata", "text", "thinking")

    def __init__(self) -> None:
        self.text = ""
        self.thinking = ""
        self.calls: list[ToolCallDelta] = []
        self.logprobs: list[dict[str, Any]] | None = None
        self.metadata: dict[str, Any] = {}


def raw_chunk(batch: Batch, common: Mapping[str, Any], finish: Finish | None, usage: Usage | None) -> dict[str, Any]:
    """Build the raw response of one chunk.

    Args:
        batch: What arrived with it.
        common: What every chunk repeats.
        finish: The end of the answer, None before it.
        usage: The token counts, None before they are known.
    """
    delta: dict[str, Any] = {}
    if batch.text:
        delta["content"] = batch.text
    if batch.thinking:
        delta["reasoning"] = batch.thinking
    if batch.calls:
        delta["tool_calls"] = [_call_delta(piece) for piece in batch.calls]
    choice = {"index": 0, "delta": delta, "finish_reason": None if finish is None else finish.reason}
    if batch.logprobs is not None:
        choice["logprobs"] = {"content": batch.logprobs}
    return {
        **common,
        **batch.metadata,
        "object": "chat.completion.chunk",
        "choices": [choice],
        "usage": None if usage is None else raw_usage(usage),
    }


def raw_response(completions: Sequence[Completion]) -> dict[str, Any]:
    """Build the raw response of a complete answer.

    Args:
        completions: All `n` answers.
    """
    first = completions[0]
    return {
        **first.metadata,
        "object": "chat.completion",
        "choices": [_choice(completion) for completion in completions],
        "usage": None if first.usage is None else raw_usage(first.usage),
    }


def _call_delta(delta: ToolCallDelta) -> dict[str, Any]:
    function = (
        {"arguments": delta.arguments} if delta.name is None else {"name": delta.name, "arguments": delta.arguments}
    )
    call: dict[str, Any] = {"index": delta.index, "function": function}
    if delta.id is not None:
        call.update(id=delta.id, type="function")
    return call


def _choice(completion: Completion) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": completion.text or None}
    if completion.reasoning:
        message["reasoning"] = completion.reasoning
    calls: list[ToolCall | InvalidToolCall] = [*completion.tool_calls, *completion.invalid_tool_calls]
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    choice: dict[str, Any] = {"index": completion.choice, "message": message, "finish_reason": completion.finish_reason}
    if completion.stop_reason is not None:
        choice["stop_reason"] = completion.stop_reason
    if completion.logprobs is not None:
        choice["logprobs"] = {"content": list(completion.logprobs)}
    return choice
