"""LlamaIndex's response objects, made without validating what was made here a moment ago.

`text_block("Hi")` equals `TextBlock(text="Hi")`. A constructor validates its arguments, which costs most of the time of a
streamed chunk. A test compares everything made here with what the constructor makes.
"""

from typing import Any, TypeVar

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
from pydantic import BaseModel

__all__ = [
    "assistant_message",
    "chat_response",
    "completion_response",
    "text_block",
    "thinking_block",
    "tool_call_block",
]

Model = TypeVar("Model", bound=BaseModel)

# The slots that every pydantic object has, set past its checks.
_set_values = BaseModel.__dict__["__dict__"].__set__
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__

_DEFAULTS: dict[type[BaseModel], dict[str, Any]] = {}


def chat_response(
    message: ChatMessage,
    raw: dict[str, Any],
    delta: str | None,
    logprobs: list[list[LogProb]] | None,
    facts: dict[str, Any],
) -> ChatResponse:
    """Make a response, as `ChatResponse(...)` does."""
    values = {"message": message, "raw": raw, "delta": delta, "logprobs": logprobs, "additional_kwargs": facts}
    return _new(ChatResponse, values, set(values))


def assistant_message(blocks: list[Any], additional_kwargs: dict[str, Any]) -> ChatMessage:
    """Make a message of the assistant, as `ChatMessage(...)` does."""
    values = {"role": MessageRole.ASSISTANT, "additional_kwargs": additional_kwargs, "blocks": blocks}
    return _new(ChatMessage, values, set(values))


def text_block(text: str) -> TextBlock:
    """Make a block of text, as `TextBlock(...)` does."""
    return _new(TextBlock, {"block_type": "text", "text": text}, {"text"})


def thinking_block(content: str, num_tokens: int | None) -> ThinkingBlock:
    """Make a block of reasoning, as `ThinkingBlock(...)` does."""
    values: dict[str, Any] = {
        "block_type": "thinking",
        "content": content,
        "num_tokens": num_tokens,
        "additional_information": {},
    }
    return _new(ThinkingBlock, values, {"content", "num_tokens"})


def tool_call_block(tool_call_id: str, tool_name: str, tool_kwargs: dict[str, Any] | str) -> ToolCallBlock:
    """Make a block of a tool call, as `ToolCallBlock(...)` does."""
    values = {
        "block_type": "tool_call",
        "tool_call_id": tool_call_id,
        "tool_name": tool_name,
        "tool_kwargs": tool_kwargs,
    }
    return _new(ToolCallBlock, values, {"tool_call_id", "tool_name", "tool_kwargs"})


def completion_response(
    text: str,
    raw: dict[str, Any] | None,
    delta: str | None,
    logprobs: list[list[LogProb]] | None,
    facts: dict[str, Any],
) -> CompletionResponse:
    """Make a response, as `CompletionResponse(...)` does."""
    values = {"text": text, "additional_kwargs": facts, "raw": raw, "logprobs": logprobs, "delta": delta}
    return _new(CompletionResponse, values, set(values))


def _new(cls: type[Model], values: dict[str, Any], given: set[str]) -> Model:
    """Make a model object.

    Args:
        cls: A model without private attributes and extra fields.
        values: Its fields, all valid, in the class's order; one that only a later version has gets its default.
        given: The fields that a caller of the constructor would give.

    Returns:
        What the constructor would return. It keeps `values` and `given`.
    """
    made = cls.__new__(cls)
    defaults = _DEFAULTS.get(cls)
    if defaults is None:
        defaults = _DEFAULTS[cls] = {name: field.default for name, field in cls.model_fields.items()}
    _set_values(made, values if len(values) == len(defaults) else {**defaults, **values})
    _set_given(made, given)
    _set_extra(made, None)
    _set_private(made, None)
    return made
