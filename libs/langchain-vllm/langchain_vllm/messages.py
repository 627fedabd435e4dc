"""LangChain's messages, and the messages of vLLM's chat endpoint.

`AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "call_1"}])` is sent as
`{"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function",
"function": {"name": "add", "arguments": '{"a": 1}'}}]}`, and a completion is returned as an `AIMessage`.
Reasoning is sent as `reasoning`, once, wherever it is in the message.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

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
from langchain_core.outputs import ChatGeneration, ChatResult
from vllm_connect import Completion, Usage
from vllm_connect.adapters import ReasoningReplay, replay_start, unvalidated

from langchain_vllm.content_parts import reasoning_text, to_text_or_parts
from langchain_vllm.errors import ConfigurationError

__all__ = [
    "PROVIDER",
    "RENAMED",
    "from_completion",
    "from_completions",
    "reasoning_of",
    "response_end_metadata",
    "to_wire",
    "usage_metadata",
]

PROVIDER = "vllm"
"""`model_provider` of every message and `ls_provider` of every trace; middleware compares the two."""


# To the server


def to_wire(messages: Sequence[BaseMessage], *, replay: ReasoningReplay = "tool_loop") -> list[dict[str, Any]]:
    """Convert messages to wire messages.

    Args:
        messages: The conversation.
        replay: Which assistant messages are sent with their reasoning.

    Returns:
        One wire message for each message.

    Raises:
        ConfigurationError: A message, or one of its blocks, cannot be sent.
    """
    start = replay_start([isinstance(message, HumanMessage) for message in messages], replay)
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return [
        _assistant(message, position, answered, with_reasoning=position >= start)
        if isinstance(message, AIMessage)
        else _other(message, position)
        for position, message in enumerate(messages)
    ]


def _other(message: BaseMessage, position: int) -> dict[str, Any]:
    content = to_text_or_parts(message.content, position=position)
    if isinstance(message, ToolMessage):
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}
    if isinstance(message, FunctionMessage):
        return {"role": "tool", "tool_call_id": message.name, "content": content}
    wire: dict[str, Any] = {"role": _role(message, position), "content": content}
    if message.name:
        wire["name"] = message.name
    return wire


def _role(message: BaseMessage, position: int) -> str:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, SystemMessage):
        return "developer" if message.additional_kwargs.get(OPENAI_ROLE) == "developer" else "system"
    if isinstance(message, ChatMessage):
        return message.role
    raise ConfigurationError(f"messages[{position}] is a {type(message).__name__}, which has no wire format: remove it")


OPENAI_ROLE = "__openai_role__"
"""The keyword by which langchain-core marks a system message that was given with the role `developer`."""


def _assistant(message: AIMessage, position: int, answered: set[str], *, with_reasoning: bool) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "role": "assistant",
        "content": to_text_or_parts(message.content, position=position, separator=""),
    }
    if message.name:
        wire["name"] = message.name
    if with_reasoning and (reasoning := reasoning_of(message)):
        wire["reasoning"] = reasoning
    if calls := _calls(message, answered):
        wire["tool_calls"] = calls
    return wire


def reasoning_of(message: AIMessage) -> str:
    """Return a message's reasoning, which is in `additional_kwargs`, in blocks, or in both."""
    reasoning = message.additional_kwargs.get("reasoning_content") or message.additional_kwargs.get("reasoning")
    return reasoning if isinstance(reasoning, str) else reasoning_text(message.content)


def _calls(message: AIMessage, answered: set[str]) -> list[dict[str, Any]]:
    """Convert a message's calls, in the order in which they are answered.

    An invalid call that was answered, as agents do to let the model try again, is sent in a form that every template
    can render. One that was not answered is left out: its text may break the template in every later turn.
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
"""Types of blocks that are calls, with the keys of id and arguments: LangChain's, Anthropic's, OpenAI's."""


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
    """Convert a completion to a message.

    Args:
        completion: The completion.

    Returns:
        The message. Its reasoning is `additional_kwargs["reasoning_content"]`, which `content_blocks` lists as a
        block; facts about the response are in `response_metadata`.
    """
    values: dict[str, Any] = {
        "content": completion.text,
        "additional_kwargs": {"reasoning_content": completion.reasoning} if completion.reasoning else {},
        "response_metadata": _response_metadata(completion),
        "type": "ai",
        "name": None,
        "id": None,
        "tool_calls": [tool_call(name=c.name, args=c.parsed(), id=c.id) for c in completion.tool_calls],
        "invalid_tool_calls": [
            invalid_tool_call(name=c.name or None, args=c.arguments or None, id=c.id, error=c.error)
            for c in completion.invalid_tool_calls
        ],
        "usage_metadata": usage_metadata(completion.usage),
    }
    return unvalidated(AIMessage, values, set(values) - {"type", "name", "id"}, {})


def from_completions(completions: Sequence[Completion]) -> ChatResult:
    """Convert the completions of one call to its result.

    The token counts are those of the whole call; they are in the first message and in `llm_output`.
    """
    generations: list[ChatGeneration] = []
    output: dict[str, Any] = {}
    for completion in completions:
        message = from_completion(completion)
        metadata = message.response_metadata
        if generations:
            message.usage_metadata = None
            metadata.pop("token_usage", None)
        else:
            output = {name: metadata[name] for name in ("token_usage", "model_name") if name in metadata}
        info = {name: metadata[name] for name in ("finish_reason", "stop_reason", "logprobs") if name in metadata}
        values = {"text": message.text, "generation_info": info, "type": "ChatGeneration", "message": message}
        generations.append(unvalidated(ChatGeneration, values, {"text", "generation_info", "message"}))
    result = {"generations": generations, "llm_output": output}
    return unvalidated(ChatResult, result, {"generations", "llm_output"})


RENAMED = {"model": "model_name"}
"""Keys of the metadata that LangChain has other names for."""


def _response_metadata(completion: Completion) -> dict[str, Any]:
    values = {RENAMED.get(name, name): value for name, value in completion.metadata.items() if value is not None}
    logprobs = {} if completion.logprobs is None else {"logprobs": {"content": list(completion.logprobs)}}
    return {"model_provider": PROVIDER, **values, **logprobs, **response_end_metadata(completion)}


def response_end_metadata(completion: Completion) -> dict[str, Any]:
    """Return what is known of a response only when it has ended."""
    metadata: dict[str, Any] = {}
    if completion.finish_reason is not None:
        metadata["finish_reason"] = completion.finish_reason
    if completion.stop_reason is not None:
        metadata["stop_reason"] = completion.stop_reason
    if completion.usage is not None:
        metadata["token_usage"] = completion.usage.named()
    if completion.invalid_tool_calls:
        metadata["tool_call_errors"] = {call.id: call.error for call in completion.invalid_tool_calls}
    return metadata


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """Convert token counts to LangChain's; counts that the server did not report are left out."""
    if usage is None:
        return None
    counts = UsageMetadata(
        input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, total_tokens=usage.total_tokens
    )
    details = InputTokenDetails()
    if usage.cached_tokens is not None:
        details["cache_read"] = usage.cached_tokens
    if usage.cache_creation_tokens is not None:
        details["cache_creation"] = usage.cache_creation_tokens
    if details:
        counts["input_token_details"] = details
    if usage.reasoning_tokens is not None:
        counts["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return counts
