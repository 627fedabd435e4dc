"""Tools: what a request says of them, and which calls of an answer may be run.

`chat_with_tools([add], user_msg="1 + 2?")` sends `"tools": [{"type": "function", "function": {"name": "add", …}}],
"tool_choice": "auto", "parallel_tool_calls": false`; without tools none of the three is sent, since vLLM refuses
them. Arguments of an ended answer that are no whole JSON object raise `ToolCallArgumentsError`: they are never
completed, never `{}`, never run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from typing_extensions import override
from vllm_connect import ConfigurationError, Delta, Finish, InvalidToolCall, ToolCallDelta, VllmError, fold

from llama_index_vllm.descriptions import described
from llama_index_vllm.messages import calls_of
from llama_index_vllm.partial import PartialObject

__all__ = ["ToolCallArgumentsError", "ToolCalling", "first_call_only", "tool_spec"]


class ToolCallArgumentsError(VllmError, ValueError):
    """The model wrote a tool call that must not be run: truncated, malformed or nameless.

    Attributes:
        calls: The calls, each with its id, name, arguments as far as written, and the reason.
    """

    code = "tool_call_arguments"

    def __init__(self, message: str, calls: Sequence[InvalidToolCall] = ()) -> None:
        super().__init__(message)
        self.calls = tuple(calls)


def tool_spec(tool: BaseTool | Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
    """Describe a tool in OpenAI's shape.

    Args:
        tool: A tool of LlamaIndex, or a description that is in OpenAI's shape already.
        strict: Ask for arguments that fit the schema. The key is sent only if it is wanted: some servers refuse it.
    """
    spec = dict(tool) if isinstance(tool, Mapping) else dict(described(tool.metadata))
    if strict:
        spec = {**spec, "function": {**spec["function"], "strict": True}}
    return spec


def first_call_only(message: ChatMessage) -> None:
    """Cut a message to its first tool call, in its blocks and in `additional_kwargs`."""
    first = next((block for block in message.blocks if isinstance(block, ToolCallBlock)), None)
    message.blocks = [block for block in message.blocks if block is first or not isinstance(block, ToolCallBlock)]
    mirror = message.additional_kwargs.get("tool_calls")
    if mirror and len(mirror) > 1:
        message.additional_kwargs = {**message.additional_kwargs, "tool_calls": mirror[:1]}


class ToolCalling(FunctionCallingLLM):
    """Function calling, as LlamaIndex's agents and programs use it."""

    strict: bool = False
    """Ask for tool arguments that fit their schema; not every server takes it."""

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Prepare the arguments of `chat`.

        Args:
            tools: The tools; with none of them, nothing about tools is sent.
            user_msg: A message to put after the history.
            chat_history: The conversation; it is not changed.
            verbose: Not used.
            allow_parallel_tool_calls: Let the model write several calls in one answer.
            tool_required: Make it call a tool.
            tool_choice: `auto`, `none`, `required`, `any`, a tool's name or a dict; goes before `tool_required`.
            strict: Ask for arguments that fit their schema; None is the model's own setting.
            kwargs: Further arguments of `chat`.
        """
        messages = list(chat_history or ())
        if user_msg is not None:
            messages.append(
                ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
            )
        prepared: dict[str, Any] = {"messages": messages, **kwargs}
        if not tools:
            return prepared
        wanted = self.strict if strict is None else strict
        specs = [tool_spec(tool, strict=wanted) for tool in tools]
        wire_names = _wire_names(tools, specs)
        if tool_choice is None:
            tool_choice = "required" if tool_required else "auto"
        elif isinstance(tool_choice, str):
            tool_choice = wire_names.get(tool_choice, tool_choice)
        prepared["tools"] = specs
        prepared["tool_choice"] = tool_choice
        prepared.setdefault("parallel_tool_calls", allow_parallel_tool_calls)
        if wire_names:
            prepared["wire_names"] = wire_names
        return prepared

    @override
    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,
    ) -> ChatResponse:
        """Keep the first call alone where parallel calls are not allowed; streams are cut in the same way."""
        if not kwargs.get("parallel_tool_calls", allow_parallel_tool_calls):
            first_call_only(response.message)
        return response

    @override
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Read the calls that may be run.

        Args:
            response: A whole answer, or a chunk of a stream; in a chunk before the last, arguments are what has
                come of them, for show.
            error_on_no_tool_call: Raise where there is no call.
            kwargs: Not used.

        Returns:
            The calls in order, arguments as a dict.

        Raises:
            ToolCallArgumentsError: The answer has ended and a call must not be run.
            ValueError: There is no call.
        """
        invalid = response.additional_kwargs.get("invalid_tool_calls")
        if invalid:
            _refuse([InvalidToolCall(**call) for call in invalid])
        ended = response.delta is None or response.additional_kwargs.get("finish_reason") is not None
        calls = calls_of(response.message)
        if not calls and error_on_no_tool_call:
            raise ValueError(f"Expected at least one tool call, but got {len(calls)} tool calls.")
        return [_selection(call, position, ended=ended) for position, call in enumerate(calls)]


def _wire_names(tools: Sequence[BaseTool], specs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """List what tools are called in the request, by LlamaIndex's name, where the two differ."""
    names = {_name(tool, spec): spec["function"]["name"] for tool, spec in zip(tools, specs, strict=True)}
    if len(set(names.values())) < len(names):
        raise ConfigurationError(
            "two tools have the same name once what is not a letter, a digit, - or _ is replaced by _: rename one"
        )
    return {name: wire for name, wire in names.items() if name != wire}


def _name(tool: BaseTool | Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    return str(spec["function"]["name"]) if isinstance(tool, Mapping) else tool.metadata.get_name()


def _selection(call: ToolCallBlock, position: int, *, ended: bool) -> ToolSelection:
    kwargs = call.tool_kwargs
    if isinstance(kwargs, str):
        kwargs = _read(call, kwargs) if ended else _so_far(kwargs)
    return ToolSelection(tool_id=call.tool_call_id or f"call_{position}", tool_name=call.tool_name, tool_kwargs=kwargs)


def _so_far(arguments: str) -> dict[str, Any]:
    partial = PartialObject()
    partial.read(arguments)
    return partial.value


def _read(call: ToolCallBlock, arguments: str) -> dict[str, Any]:
    """Read arguments by the rule of every other answer: one strict JSON object, or nothing."""
    whole: list[Delta] = [ToolCallDelta(0, call.tool_call_id or "", call.tool_name, arguments), Finish("tool_calls")]
    judged = fold(whole)
    if judged.invalid_tool_calls:
        _refuse(judged.invalid_tool_calls)
    return judged.tool_calls[0].parsed()


def _refuse(calls: Sequence[InvalidToolCall]) -> None:
    reasons = "; ".join(f"{call.name or 'a nameless call'}: {call.error}" for call in calls)
    raise ToolCallArgumentsError(
        f"the model wrote a tool call that must not be run ({reasons}); "
        "if the answer was cut, raise max_tokens, else ask the model again",
        calls,
    )
