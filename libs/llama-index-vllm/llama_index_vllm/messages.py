r"""Chat messages, and the messages of a request.

`ChatMessage(role="assistant", blocks=[ThinkingBlock(content="Ask."), ToolCallBlock(tool_call_id="call_1",
tool_name="add", tool_kwargs={"a": 1})])` is sent as

    {"role": "assistant", "content": null, "reasoning": "Ask.",
     "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{\"a\": 1}"}}]}

Source: CustomChatCompletionMessageParam (entrypoints/chat_utils.py, vLLM 0.32.0).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import ChatMessage, MessageRole, ThinkingBlock, ToolCallBlock
from vllm_connect import ConfigurationError

from llama_index_vllm.content import to_content

__all__ = ["Replay", "calls_of", "to_wire"]

Replay = Literal["tool_loop", "all", "none"]
"""Whose reasoning is sent back: of the messages after the last user message, of all, of none."""

ROLES = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "developer",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}


def to_wire(
    messages: Sequence[ChatMessage],
    *,
    replay: Replay = "tool_loop",
    developer_as_system: bool = True,
    wire_names: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Turn chat messages into those of a request; the messages are not changed.

    Args:
        messages: The conversation.
        replay: Whose reasoning is sent back.
        developer_as_system: Send the developer's messages as the system's, for templates that know no developer.
        wire_names: What tools are called in the request, by name, where the names differ.

    Returns:
        One object for each message.

    Raises:
        ConfigurationError: A message holds what cannot be sent to vLLM.
    """
    start = _replayed_from(messages, replay)
    return [
        _message(message, position, position >= start, developer_as_system, wire_names or {})
        for position, message in enumerate(messages)
    ]


def calls_of(message: ChatMessage) -> list[ToolCallBlock]:
    """Read the tool calls of a message.

    Args:
        message: A message whose calls stand in its blocks, or, as older integrations write them, in its
            `additional_kwargs["tool_calls"]`, as OpenAI's objects or as dicts.

    Returns:
        The calls, in order, each once.
    """
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    return blocks or [_legacy_call(call) for call in message.additional_kwargs.get("tool_calls") or ()]


def _replayed_from(messages: Sequence[ChatMessage], replay: Replay) -> int:
    if replay == "all":
        return 0
    if replay == "none":
        return len(messages)
    users = (position for position, message in enumerate(messages) if message.role == MessageRole.USER)
    return max(users, default=-1) + 1


def _message(
    message: ChatMessage, at: int, replayed: bool, developer_as_system: bool, wire_names: Mapping[str, str]
) -> dict[str, Any]:
    role = ROLES[message.role]
    if role == "developer" and developer_as_system:
        role = "system"
    content = to_content(message.blocks, at=at)
    wire: dict[str, Any] = {"role": role, "content": "" if content is None else content}
    if role == "tool":
        wire["tool_call_id"] = message.additional_kwargs.get("tool_call_id") or ""
    if role != "assistant":
        return wire
    if reasoning := _reasoning(message.blocks) if replayed else "":
        wire["reasoning"] = reasoning
    if calls := calls_of(message):
        wire["content"] = content or None
        wire["tool_calls"] = [_wire_call(call, position, wire_names) for position, call in enumerate(calls)]
    return wire


def _reasoning(blocks: Iterable[Any]) -> str:
    return "\n".join(block.content for block in blocks if isinstance(block, ThinkingBlock) and block.content)


def _wire_call(call: ToolCallBlock, position: int, wire_names: Mapping[str, str]) -> dict[str, Any]:
    name = wire_names.get(call.tool_name, call.tool_name)
    return {
        "id": call.tool_call_id or f"call_{position}",
        "type": "function",
        "function": {"name": name, "arguments": _arguments(call.tool_kwargs)},
    }


def _arguments(kwargs: Mapping[str, Any] | str) -> str:
    """Spell arguments as the text of one JSON object: templates and servers read them, and fail on anything else."""
    if not isinstance(kwargs, str):
        return json.dumps(kwargs, ensure_ascii=False)
    try:
        whole = isinstance(json.loads(kwargs or "{}"), dict)
    except ValueError:
        whole = False
    return (kwargs or "{}") if whole else json.dumps({"invalid_arguments": kwargs}, ensure_ascii=False)


def _legacy_call(call: Any) -> ToolCallBlock:
    function = _get(call, "function")
    name = _get(function, "name")
    if not isinstance(name, str):
        raise ConfigurationError('additional_kwargs["tool_calls"] has an entry without a function name')
    kwargs = _get(function, "arguments")
    return ToolCallBlock(
        tool_call_id=_get(call, "id"), tool_name=name, tool_kwargs=kwargs if isinstance(kwargs, dict | str) else ""
    )


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
