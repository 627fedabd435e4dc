"""Tools in a request, and the tool calls of an answer that may be run.

`chat_with_tools([add], user_msg="1 + 2?")` sends `"tools": [{"type": "function", "function": {"name": "add", …}}],
"tool_choice": "auto", "parallel_tool_calls": false`; without tools none of the three is sent, since vLLM rejects them.
Arguments of a complete answer that are not a complete JSON object raise `ToolCallArgumentsError`: they are never
completed, never replaced by `{}`, never run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool, ToolMetadata
from vllm_connect import ConfigurationError, Delta, Finish, InvalidToolCall, ToolCallDelta, VllmError, fold
from vllm_connect.adapters import IdentityCache, PartialObject

from llama_index_vllm.messages import calls_of

__all__ = [
    "ToolCallArgumentsError",
    "chat_arguments",
    "keep_first_call",
    "to_wire_tool",
    "tool_selections",
]


class ToolCallArgumentsError(VllmError, ValueError):
    """The model wrote a tool call that must not be run: truncated, malformed or without a name.

    Attributes:
        calls: The calls, each with its id, name, arguments as far as written, and the error.
    """

    code = "tool_call_arguments"

    def __init__(self, message: str, calls: Sequence[InvalidToolCall] = ()) -> None:
        super().__init__(message)
        self.calls = tuple(calls)


# The request


def to_wire_tool(tool: BaseTool | Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
    """Convert a tool to OpenAI's format.

    Args:
        tool: A tool of LlamaIndex, or a dict in OpenAI's format.
        strict: Request arguments that match the schema. The key is sent only if True: some servers reject it.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(tool, Mapping | BaseTool):
        raise ConfigurationError(
            f"a tool is a {type(tool).__name__}: write a FunctionTool, another BaseTool, or a dict in OpenAI's format"
        )
    wire_tool = dict(tool) if isinstance(tool, Mapping) else dict(_converted(tool.metadata))
    if strict:
        wire_tool = {**wire_tool, "function": {**wire_tool["function"], "strict": True}}
    return wire_tool


def _converted(metadata: ToolMetadata) -> dict[str, Any]:
    """Convert a tool's metadata, once per object; a subclass may return something else each time."""
    if type(metadata) is not ToolMetadata:
        return metadata.to_openai_tool(skip_length_check=True)
    return _CONVERTED.get(metadata, lambda: _with_recursive_root(metadata))


def _with_recursive_root(metadata: ToolMetadata) -> dict[str, Any]:
    """Convert a tool's metadata; LlamaIndex drops the reference that is all there is of a recursive class's schema."""
    tool = metadata.to_openai_tool(skip_length_check=True)
    function = tool["function"]
    schema = {} if metadata.fn_schema is None else metadata.fn_schema.model_json_schema()
    root = schema.get("$defs", {}).get(schema.get("$ref", "").removeprefix("#/$defs/"))
    if root is None:
        return tool
    return {**tool, "function": {**function, "parameters": {**root, "$defs": schema["$defs"]}}}


def _fingerprint(metadata: ToolMetadata) -> object:
    return metadata.name, metadata.description, metadata.fn_schema


_CONVERTED: IdentityCache[ToolMetadata, dict[str, Any]] = IdentityCache(_fingerprint)


def chat_arguments(
    tools: Sequence[BaseTool],
    user_msg: str | ChatMessage | None,
    chat_history: Sequence[ChatMessage] | None,
    *,
    tool_choice: str | dict[str, Any] | bool | None,
    strict: bool,
    **kwargs: Any,
) -> dict[str, Any]:
    """Build the arguments of `chat` for a call with tools; see `VllmLLM._prepare_chat_with_tools`."""
    messages = list(chat_history or ())
    if user_msg is not None:
        messages.append(ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg)
    arguments: dict[str, Any] = {"messages": messages, **kwargs}
    if not tools:
        arguments.pop("parallel_tool_calls", None)
        return arguments
    wire_tools = [to_wire_tool(tool, strict=strict) for tool in tools]
    wire_names = _wire_names(tools, wire_tools)
    arguments["tools"] = wire_tools
    arguments["tool_choice"] = wire_names.get(tool_choice, tool_choice) if isinstance(tool_choice, str) else tool_choice
    if wire_names:
        arguments["wire_names"] = wire_names
    return arguments


def _wire_names(tools: Sequence[BaseTool], wire_tools: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the names of tools in the request by their names in LlamaIndex, if the two differ."""
    names = {_name(tool, wire): wire["function"]["name"] for tool, wire in zip(tools, wire_tools, strict=True)}
    if len(set(names.values())) < len(names):
        raise ConfigurationError(
            "two tools have the same name after replacing everything but letters, digits, - and _ with _: rename one"
        )
    return {name: wire for name, wire in names.items() if name != wire}


def _name(tool: BaseTool | Mapping[str, Any], wire_tool: Mapping[str, Any]) -> str:
    return str(wire_tool["function"]["name"]) if isinstance(tool, Mapping) else tool.metadata.get_name()


# The answer


def keep_first_call(message: ChatMessage) -> None:
    """Remove all tool calls but the first, from the blocks and from `additional_kwargs`."""
    first = next((block for block in message.blocks if isinstance(block, ToolCallBlock)), None)
    message.blocks = [block for block in message.blocks if block is first or not isinstance(block, ToolCallBlock)]
    openai_calls = message.additional_kwargs.get("tool_calls")
    if openai_calls and len(openai_calls) > 1:
        message.additional_kwargs = {**message.additional_kwargs, "tool_calls": openai_calls[:1]}


def tool_selections(response: ChatResponse, *, error_on_no_tool_call: bool) -> list[ToolSelection]:
    """Return the calls that may be run; see `VllmLLM.get_tool_calls_from_response`."""
    invalid = response.additional_kwargs.get("invalid_tool_calls")
    if invalid:
        raise _arguments_error([InvalidToolCall(**call) for call in invalid])
    ended = response.delta is None or response.additional_kwargs.get("finish_reason") is not None
    calls = calls_of(response.message)
    if not calls and error_on_no_tool_call:
        raise ValueError(f"Expected at least one tool call, but got {len(calls)} tool calls.")
    return [_selection(call, index, ended=ended) for index, call in enumerate(calls)]


def _selection(call: ToolCallBlock, index: int, *, ended: bool) -> ToolSelection:
    kwargs = call.tool_kwargs
    if isinstance(kwargs, str):
        kwargs = _parsed(call, kwargs) if ended else _parsed_part(kwargs)
    return ToolSelection(tool_id=call.tool_call_id or f"call_{index}", tool_name=call.tool_name, tool_kwargs=kwargs)


def _parsed_part(arguments: str) -> dict[str, Any]:
    partial = PartialObject()
    partial.update(arguments)
    return partial.value


def _parsed(call: ToolCallBlock, arguments: str) -> dict[str, Any]:
    """Parse arguments as those of every other answer: one strict JSON object."""
    deltas: list[Delta] = [ToolCallDelta(0, call.tool_call_id or "", call.tool_name, arguments), Finish("tool_calls")]
    answer = fold(deltas)
    if answer.invalid_tool_calls:
        raise _arguments_error(answer.invalid_tool_calls)
    return answer.tool_calls[0].parsed()


def _arguments_error(calls: Sequence[InvalidToolCall]) -> ToolCallArgumentsError:
    reasons = "; ".join(f"{call.name or 'a call without a name'}: {call.error}" for call in calls)
    return ToolCallArgumentsError(
        f"the model wrote a tool call that must not be run ({reasons}); if the answer was truncated, raise max_tokens, "
        "else ask the model again",
        calls,
    )
