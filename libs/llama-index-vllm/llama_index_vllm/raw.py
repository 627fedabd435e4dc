"""What stands in `raw`: the server's answer in OpenAI's shape, as plain dicts.

`{"id": "chatcmpl-1", "model": "demo", "object": "chat.completion", "choices": [{"index": 0, "message": {"role":
"assistant", "content": "Hello"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, …}}`. Tracers and token
counters read it; the key `usage` is always there. A chunk has what arrived with it, not what came before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vllm_connect import Completion, Finish, InvalidToolCall, ToolCall, ToolCallDelta, Usage

__all__ = ["HEAD", "Arrival", "chunk_raw", "response_raw"]

HEAD = frozenset({"id", "model", "created", "system_fingerprint", "service_tier"})
"""Facts of the response that every chunk repeats."""


def usage_raw(usage: Usage) -> dict[str, Any]:
    """Spell token counts as the server does; what it did not tell is left out."""
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


class Arrival:
    """What arrived together.

    Attributes:
        text: Text.
        thinking: Reasoning.
        fragments: Pieces of tool calls.
        tokens: Log probabilities, None where there were none.
        extras: What the server says beside the answer.
    """

    __slots__ = ("extras", "fragments", "text", "thinking", "tokens")

    def __init__(self) -> None:
        self.text = ""
        self.thinking = ""
        self.fragments: list[ToolCallDelta] = []
        self.tokens: list[dict[str, Any]] | None = None
        self.extras: dict[str, Any] = {}


def chunk_raw(arrived: Arrival, head: Mapping[str, Any], finish: Finish | None, usage: Usage | None) -> dict[str, Any]:
    """Spell one chunk.

    Args:
        arrived: What arrived with it.
        head: What every chunk repeats.
        finish: The end of the answer, if it has come.
        usage: The token counts, if they have come.
    """
    delta: dict[str, Any] = {}
    if arrived.text:
        delta["content"] = arrived.text
    if arrived.thinking:
        delta["reasoning"] = arrived.thinking
    if arrived.fragments:
        delta["tool_calls"] = [_fragment(fragment) for fragment in arrived.fragments]
    choice = {"index": 0, "delta": delta, "finish_reason": None if finish is None else finish.reason}
    if arrived.tokens is not None:
        choice["logprobs"] = {"content": arrived.tokens}
    return {
        **head,
        **arrived.extras,
        "object": "chat.completion.chunk",
        "choices": [choice],
        "usage": None if usage is None else usage_raw(usage),
    }


def response_raw(completions: Sequence[Completion]) -> dict[str, Any]:
    """Spell a whole response.

    Args:
        completions: All `n` answers.
    """
    first = completions[0]
    return {
        **first.metadata,
        "object": "chat.completion",
        "choices": [_choice(completion) for completion in completions],
        "usage": None if first.usage is None else usage_raw(first.usage),
    }


def _fragment(delta: ToolCallDelta) -> dict[str, Any]:
    function = (
        {"arguments": delta.arguments} if delta.name is None else {"name": delta.name, "arguments": delta.arguments}
    )
    fragment: dict[str, Any] = {"index": delta.index, "function": function}
    if delta.id is not None:
        fragment.update(id=delta.id, type="function")
    return fragment


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
