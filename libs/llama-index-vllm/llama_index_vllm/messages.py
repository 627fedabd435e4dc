r"""LlamaIndex's chat messages, and the messages of vLLM's chat endpoint.

`ChatMessage(role="assistant", blocks=[ThinkingBlock(content="Ask."), ToolCallBlock(tool_call_id="call_1",
tool_name="add", tool_kwargs={"a": 1})])` is sent as

    {"role": "assistant", "content": null, "reasoning": "Ask.",
     "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{\"a\": 1}"}}]}

Source: CustomChatCompletionMessageParam (entrypoints/chat_utils.py, vLLM 0.32.0).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, ThinkingBlock, ToolCallBlock
from vllm_connect import ConfigurationError
from vllm_connect.adapters import ReasoningReplay, replay_start

from llama_index_vllm.content_parts import to_content

__all__ = ["calls_of", "to_wire"]

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
    replay: ReasoningReplay = "tool_loop",
    wire_names: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Convert messages to wire messages; they are not changed.

    Args:
        messages: The conversation.
        replay: Which assistant messages are sent with their reasoning.
        wire_names: The names of tools in the request, by their names in LlamaIndex, if they differ.

    Returns:
        One wire message for each message.

    Raises:
        ConfigurationError: A message, or one of its blocks, cannot be sent.
    """
    start = replay_start([message.role == MessageRole.USER for message in messages], replay)
    return [
        _message(message, position, wire_names or {}, with_reasoning=position >= start)
        for position, message in enumerate(messages)
    ]


def calls_of(message: ChatMessage) -> list[ToolCallBlock]:
    """Return the tool calls of a message.

    Args:
        message: A message whose calls are in its blocks, or, as older integrations write them, in its
            `additional_kwargs["tool_calls"]`, as OpenAI's objects or as dicts.

    Returns:
        The calls in order, each once.
    """
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    return blocks or [_legacy_call(call) for call in message.additional_kwargs.get("tool_calls") or ()]


def _message(
    message: ChatMessage, position: int, wire_names: Mapping[str, str], *, with_reasoning: bool
) -> dict[str, Any]:
    role = ROLES[message.role]
    content = to_content(message.blocks, position=position)
    wire: dict[str, Any] = {"role": role, "content": "" if content is None else content}
    if role == "tool":
        wire["tool_call_id"] = message.additional_kwargs.get("tool_call_id") or ""
    if role != "assistant":
        return wire
    if reasoning := _reasoning(message.blocks) if with_reasoning else "":
        wire["reasoning"] = reasoning
    if calls := calls_of(message):
        wire["content"] = content or None
        wire["tool_calls"] = [_wire_call(call, index, wire_names) for index, call in enumerate(calls)]
    return wire


def _reasoning(blocks: Iterable[Any]) -> str:
    return "\n".join(block.content for block in blocks if isinstance(block, ThinkingBlock) and block.content)


def _wire_call(call: ToolCallBlock, index: int, wire_names: Mapping[str, str]) -> dict[str, Any]:
    name = wire_names.get(call.tool_name, call.tool_name)
    return {
        "id": call.tool_call_id or f"call_{index}",
        "type": "function",
        "function": {"name": name, "arguments": _arguments(call.tool_kwargs)},
    }


def _arguments(kwargs: Mapping[str, Any] | str) -> str:
    """Convert arguments to the text of a JSON object: templates and servers fail on anything else."""
    if not isinstance(kwargs, str):
        return json.dumps(kwargs, ensure_ascii=False)
    try:
        is_object = isinstance(json.loads(kwargs or "{}"), dict)
    except ValueError:
        is_object = False
    return (kwargs or "{}") if is_object else json.dumps({"invalid_arguments": kwargs}, ensure_ascii=False)


def _legacy_call(call: Any) -> ToolCallBlock:
    function = _get(call, "function")
    name = _get(function, "name")
    if not isinstance(name, str):
        raise ConfigurationError('an entry of additional_kwargs["tool_calls"] has no function name')
    kwargs = _get(function, "arguments")
    return ToolCallBlock(
        tool_call_id=_get(call, "id"), tool_name=name, tool_kwargs=kwargs if isinstance(kwargs, dict | str) else ""
    )


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
