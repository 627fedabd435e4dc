"""LangChain's answers and chunks, made without validating what was made here a moment ago.

`generation_chunk(message, None)` equals `ChatGenerationChunk(message=message, generation_info=None)`. A constructor
validates its arguments, and that of a chunk with a call parses half-written JSON as well, which costs most of the time
of a streamed chunk. A test compares everything made here with what the constructor makes.
"""

from typing import Any, TypeVar

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["ai_message", "chat_generation", "chat_result", "generation_chunk", "message_chunk"]

Chunk = TypeVar("Chunk", bound=AIMessageChunk)

# The slots that every pydantic object has, set past its checks.
_set_values = BaseModel.__dict__["__dict__"].__set__
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__
_new = object.__new__

GIVEN = frozenset(
    ("content", "additional_kwargs", "response_metadata", "tool_calls", "invalid_tool_calls", "usage_metadata")
)
"""What a whole answer is made of."""

_LATER: dict[type[BaseModel], dict[str, FieldInfo]] = {}
"""Fields that only a later version of a class has."""


def ai_message(
    content: str,
    *,
    additional_kwargs: dict[str, Any],
    response_metadata: dict[str, Any],
    tool_calls: list[ToolCall],
    invalid_tool_calls: list[InvalidToolCall],
    usage_metadata: UsageMetadata | None,
) -> AIMessage:
    """Make a whole answer, as the constructor does.

    Args:
        content: Text.
        additional_kwargs: What it is called; kept.
        response_metadata: What it is called; kept.
        tool_calls: The calls that may be run; kept.
        invalid_tool_calls: The calls that may not; kept.
        usage_metadata: Token counts; kept.
    """
    made = _new(AIMessage)
    values: dict[str, Any] = {
        "content": content,
        "additional_kwargs": additional_kwargs,
        "response_metadata": response_metadata,
        "type": "ai",
        "name": None,
        "id": None,
        "tool_calls": tool_calls,
        "invalid_tool_calls": invalid_tool_calls,
        "usage_metadata": usage_metadata,
    }
    _fill(made, AIMessage, values, set(GIVEN), {})
    return made


def message_chunk(
    cls: type[Chunk],
    content: str,
    additional_kwargs: dict[str, Any],
    response_metadata: dict[str, Any],
    tool_call_chunks: list[ToolCallChunk],
) -> Chunk:
    """Make a piece of an answer that is not its last, as the constructor does.

    Args:
        cls: A class that judges no call before the last piece.
        content: Text.
        additional_kwargs: What it is called; kept.
        response_metadata: What it is called; kept.
        tool_call_chunks: Pieces of calls; kept.
    """
    made = _new(cls)
    values: dict[str, Any] = {
        "content": content,
        "additional_kwargs": additional_kwargs,
        "response_metadata": response_metadata,
        "type": "AIMessageChunk",
        "name": None,
        "id": None,
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
        "tool_call_chunks": tool_call_chunks,
        "chunk_position": None,
    }
    given = {"content", "additional_kwargs", "response_metadata", "tool_call_chunks"}
    if tool_call_chunks:
        given.update(("tool_calls", "invalid_tool_calls"))
    _fill(made, cls, values, given, {})
    return made


def chat_generation(message: AIMessage, generation_info: dict[str, Any] | None) -> ChatGeneration:
    """Make what stands around an answer, as the constructor does.

    Args:
        message: The answer.
        generation_info: What stands beside it; kept.
    """
    made = _new(ChatGeneration)
    values = {"text": message.text, "generation_info": generation_info, "type": "ChatGeneration", "message": message}
    _fill(made, ChatGeneration, values, {"text", "generation_info", "message"}, None)
    return made


def chat_result(generations: list[ChatGeneration], llm_output: dict[str, Any]) -> ChatResult:
    """Make the result of a call, as the constructor does.

    Args:
        generations: Its answers; kept.
        llm_output: What is told of all of them; kept.
    """
    made = _new(ChatResult)
    _fill(made, ChatResult, {"generations": generations, "llm_output": llm_output}, {"generations", "llm_output"}, None)
    return made


def generation_chunk(message: AIMessageChunk, generation_info: dict[str, Any] | None) -> ChatGenerationChunk:
    """Make the chunk of a message, as the constructor does.

    Args:
        message: A piece of an answer.
        generation_info: What stands beside the message; kept.
    """
    made = _new(ChatGenerationChunk)
    values = {
        "text": message.text,
        "generation_info": generation_info,
        "type": "ChatGenerationChunk",
        "message": message,
    }
    _fill(made, ChatGenerationChunk, values, {"text", "generation_info", "message"}, None)
    return made


def _fill(
    made: BaseModel, cls: type[BaseModel], values: dict[str, Any], given: set[str], extra: dict[str, Any] | None
) -> None:
    """Fill the slots of a new object, which keeps `values` and `given`."""
    later = _LATER.get(cls)
    if later is None:
        later = _LATER[cls] = {name: field for name, field in cls.model_fields.items() if name not in values}
    for name, field in later.items():
        values[name] = field.get_default(call_default_factory=True)
    _set_values(made, values)
    _set_given(made, given)
    _set_extra(made, extra)
    _set_private(made, None)
