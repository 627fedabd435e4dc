"""LangChain's messages, and the messages of vLLM's chat endpoint.

`AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "call_1"}])` is
`{"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function",
"function": {"name": "add", "arguments": '{"a": 1}'}}]}`, and a completion comes back as an `AIMessage`.
Reasoning goes out as `reasoning`, once, wherever it stands in the message.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from vllm_connect import Completion, Usage

from langchain_vllm.construct import ai_message
from langchain_vllm.content import reasoning_text, to_text_or_parts
from langchain_vllm.errors import ConfigurationError

__all__ = [
    "PROVIDER",
    "RENAMED",
    "ReasoningReplay",
    "ending_metadata",
    "from_completion",
    "reasoning_of",
    "to_wire",
    "usage_metadata",
]

PROVIDER = "vllm"
"""`model_provider` of every message and `ls_provider` of every trace; middleware compares the two."""

ReasoningReplay: TypeAlias = Literal["tool_loop", "all", "none"]
"""Which assistant messages are sent back with their reasoning: those since the last user message, all, or none."""


# To the server


def to_wire(messages: Sequence[BaseMessage], *, replay: ReasoningReplay = "tool_loop") -> list[dict[str, Any]]:
    """Write messages as vLLM reads them.

    Args:
        messages: The conversation.
        replay: Which assistant messages carry their reasoning.

    Returns:
        One wire message for each message.

    Raises:
        ConfigurationError: A message, or a block of one, has no counterpart.
    """
    first = _first_replayed(messages, replay)
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return [
        _assistant(message, position, answered, with_reasoning=position >= first)
        if isinstance(message, AIMessage)
        else _other(message, position)
        for position, message in enumerate(messages)
    ]


def _first_replayed(messages: Sequence[BaseMessage], replay: ReasoningReplay) -> int:
    """Find the first position from which on reasoning is sent back."""
    if replay == "all":
        return 0
    if replay == "none":
        return len(messages)
    users = (i for i in range(len(messages) - 1, -1, -1) if isinstance(messages[i], HumanMessage))
    return next(users, -1) + 1


def _other(message: BaseMessage, at: int) -> dict[str, Any]:
    content = to_text_or_parts(message.content, at=at)
    if isinstance(message, ToolMessage):
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}
    if isinstance(message, FunctionMessage):
        return {"role": "tool", "tool_call_id": message.name, "content": content}
    wire: dict[str, Any] = {"role": _role(message, at), "content": content}
    if message.name:
        wire["name"] = message.name
    return wire


def _role(message: BaseMessage, at: int) -> str:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, ChatMessage):
        return message.role
    raise ConfigurationError(f"messages[{at}] is a {type(message).__name__}, which no model reads: leave it out")


def _assistant(message: AIMessage, at: int, answered: set[str], *, with_reasoning: bool) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": "assistant", "content": to_text_or_parts(message.content, at=at, joint="")}
    if message.name:
        wire["name"] = message.name
    if with_reasoning and (reasoning := reasoning_of(message)):
        wire["reasoning"] = reasoning
    if calls := _calls(message, answered):
        wire["tool_calls"] = calls
    return wire


def reasoning_of(message: AIMessage) -> str:
    """Find a message's reasoning, which stands in a keyword, in blocks, or in both."""
    kept = message.additional_kwargs.get("reasoning_content") or message.additional_kwargs.get("reasoning")
    return kept if isinstance(kept, str) else reasoning_text(message.content)


def _calls(message: AIMessage, answered: set[str]) -> list[dict[str, Any]]:
    """Write a message's calls in the order in which they are answered.

    An invalid call that was answered, as agents do to let the model try again, goes out in a form that every
    template can render; one that was not is left out, since its text may break the template for good.
    """
    calls = [_call(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    known = {call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls)}
    calls += _calls_in_blocks(message.content, known)
    calls += [
        _call(call["id"], call["name"] or "unknown", {"invalid_arguments": call["args"] or ""})
        for call in message.invalid_tool_calls
        if call["id"] in answered
    ]
    return calls


CALL_BLOCKS = {"tool_call": ("id", "args"), "tool_use": ("id", "input"), "function_call": ("call_id", "arguments")}
"""Blocks that are calls, and where their ids and arguments stand: LangChain's, Anthropic's, OpenAI's."""


def _calls_in_blocks(content: Any, known: set[str | None]) -> list[dict[str, Any]]:
    calls = []
    for block in content if isinstance(content, list) else ():
        names = CALL_BLOCKS.get(str(block.get("type"))) if isinstance(block, Mapping) else None
        if names and block.get(names[0]) not in known:
            calls.append(_call(block.get(names[0]), str(block.get("name") or ""), block.get(names[1]) or {}))
    return calls


def _call(id_: str | None, name: str, args: Mapping[str, Any] | str) -> dict[str, Any]:
    arguments = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False, default=str)
    return {"id": id_ or "", "type": "function", "function": {"name": name, "arguments": arguments}}


# From the server


def from_completion(completion: Completion) -> AIMessage:
    """Read an answer as a message.

    Args:
        completion: The answer.

    Returns:
        The message. Its reasoning is `additional_kwargs["reasoning_content"]`, which `content_blocks` shows as a
        block; what the server says beside the answer is `response_metadata`.
    """
    return ai_message(
        completion.text,
        additional_kwargs={"reasoning_content": completion.reasoning} if completion.reasoning else {},
        response_metadata=_response_metadata(completion),
        tool_calls=[tool_call(name=c.name, args=c.parsed(), id=c.id) for c in completion.tool_calls],
        invalid_tool_calls=[
            invalid_tool_call(name=c.name or None, args=c.arguments or None, id=c.id, error=c.error)
            for c in completion.invalid_tool_calls
        ],
        usage_metadata=usage_metadata(completion.usage),
    )


RENAMED = {"model": "model_name"}
"""What the server says under another name than LangChain knows."""


def _response_metadata(completion: Completion) -> dict[str, Any]:
    said = {RENAMED.get(name, name): value for name, value in completion.metadata.items() if value is not None}
    logprobs = {} if completion.logprobs is None else {"logprobs": {"content": list(completion.logprobs)}}
    return {"model_provider": PROVIDER, **said, **logprobs, **ending_metadata(completion)}


def ending_metadata(completion: Completion) -> dict[str, Any]:
    """List what is known of an answer when it has ended, and only then."""
    ending: dict[str, Any] = {}
    if completion.finish_reason is not None:
        ending["finish_reason"] = completion.finish_reason
    if completion.stop_reason is not None:
        ending["stop_reason"] = completion.stop_reason
    if completion.usage is not None:
        ending["token_usage"] = completion.usage.named()
    if completion.invalid_tool_calls:
        ending["tool_call_errors"] = {call.id: call.error for call in completion.invalid_tool_calls}
    return ending


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """Read token counts as LangChain counts them; what the server does not tell is left out."""
    if usage is None:
        return None
    counts = UsageMetadata(
        input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, total_tokens=usage.total_tokens
    )
    given = InputTokenDetails()
    if usage.cached_tokens is not None:
        given["cache_read"] = usage.cached_tokens
    if usage.cache_creation_tokens is not None:
        given["cache_creation"] = usage.cache_creation_tokens
    if given:
        counts["input_token_details"] = given
    if usage.reasoning_tokens is not None:
        counts["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return counts
