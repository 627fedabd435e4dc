"""The chunks of a stream, and how deltas are converted to them.

`[ToolCallDelta(0, "call_1", "add", '{"a"')]` is a chunk with
`tool_call_chunks=[{"index": 0, "id": "call_1", "name": "add", "args": '{"a"'}]`. Deltas that arrived together are
one chunk. The last chunk, which is empty, has what is known only at the end: finish reason, usage, and which calls are
invalid. Before it, no call is in `tool_calls`: an incomplete call is never one that an agent may run.
"""

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.content import InvalidToolCall
from langchain_core.messages.tool import (
    ToolCall,
    ToolCallChunk,
    invalid_tool_call,
    tool_call,
    tool_call_chunk,
)
from langchain_core.outputs import ChatGenerationChunk
from pydantic import model_validator
from vllm_connect import (
    Delta,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCall as CompleteCall,
    ToolCallDelta,
    fold,
)
from vllm_connect.adapters import metadata, other_fields, set_extra, set_fields, set_fields_set, set_private

from langchain_vllm.messages import PROVIDER, RENAMED, response_end_metadata, usage_metadata

__all__ = ["AnswerChunk", "Chunks"]


class _Answer(AIMessageChunk):
    """A chunk of an answer, or a sum of chunks; called itself, it builds the complete message.

    Its calls are validated once, when the last chunk has been added, as those of an answer without a stream: arguments
    that are not a strict JSON object, or that are truncated, are in `invalid_tool_calls`. `AIMessageChunk` would complete
    them by guessing, so that a call with half a path could be run.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Build an `AIMessage`: langchain-core uses the first parent of a chunk's class as the class of the message."""
        if cls is _Answer:
            return AIMessage(*args, **kwargs)
        return super().__new__(cls)

    @model_validator(mode="after")
    def init_tool_calls(self) -> "_Answer":
        """Validate the calls if this is the end."""
        if not self.tool_call_chunks:
            return super().init_tool_calls()  # type: ignore[operator, no-any-return]  # pydantic leaves the function
        calls: list[ToolCall] = []
        invalid: list[InvalidToolCall] = []
        if self.chunk_position == "last":
            errors = self.response_metadata.get("tool_call_errors") or {}
            for chunk in self.tool_call_chunks:
                validated = _validated(chunk, errors.get(chunk["id"]))
                if validated["type"] == "tool_call":
                    calls.append(validated)
                else:
                    invalid.append(validated)
            self._replace_call_blocks({call["id"]: call for call in (*calls, *invalid)})
        self.tool_calls = calls
        self.invalid_tool_calls = invalid
        return self

    def _replace_call_blocks(self, calls: dict[str | None, Any]) -> None:
        if isinstance(self.content, list):
            self.content = [
                calls.get(block.get("id"), block)
                if isinstance(block, dict) and block.get("type") == "tool_call_chunk"
                else block
                for block in self.content
            ]

    def __add__(self, other: Any) -> Any:
        """Add chunks; with the last one the sum is a `CompleteAnswer`."""
        return _completed(super().__add__(other))

    def __radd__(self, other: Any) -> Any:
        """Add to a plain chunk, whose own addition would complete the calls."""
        if not isinstance(other, AIMessageChunk):
            return NotImplemented
        fields = {name: value for name, value in other.__dict__.items() if name != "type"}
        return _completed(add_ai_message_chunks(AnswerChunk(**fields), self))

    def __eq__(self, other: object) -> bool:
        """Compare with a chunk of any class, as chunks of one class compare."""
        if not isinstance(other, AIMessageChunk):
            return NotImplemented
        ours, others = ({**each.__dict__, "type": None} for each in (self, other))
        return ours == others and self.__pydantic_extra__ == other.__pydantic_extra__

    __hash__ = None  # type: ignore[assignment]  # as for every message: it can change

    @classmethod
    def lc_id(cls) -> list[str]:
        """Return the id of `AIMessageChunk`, which every LangChain can load."""
        return AIMessageChunk.lc_id()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by a function, since the class has the name of langchain-core's."""
        return _unpickled, (isinstance(self, CompleteAnswer), self.__getstate__())


class AnswerChunk(_Answer):
    """A chunk of an answer, or a sum of chunks without the last; see `_Answer`."""


class CompleteAnswer(_Answer):
    """The sum of all chunks of an answer, which serialises as the complete message.

    `AIMessageChunk` would complete the arguments of invalid calls when it is loaded.
    """

    type: Literal["ai"] = "ai"  # type: ignore[assignment]  # what is stored with this type is the complete message

    def message(self) -> AIMessage:
        """Convert to the complete message."""
        skipped = ("type", "tool_call_chunks", "chunk_position")
        return AIMessage(**{name: value for name, value in self.__dict__.items() if name not in skipped})

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Convert to the dict of the complete message."""
        return self.message().model_dump(**options)

    def model_dump_json(self, **options: Any) -> str:
        """Convert to the JSON of the complete message."""
        return self.message().model_dump_json(**options)

    def to_json(self) -> Any:
        """Serialise the complete message."""
        return self.message().to_json()


for _cls, _named in ((AnswerChunk, AIMessageChunk), (CompleteAnswer, AIMessage)):
    # LangGraph keeps a message's module and class name in its checkpoints, and may refuse those that are not langchain-core's.
    _cls.__module__, _cls.__name__, _cls.__qualname__ = _named.__module__, _named.__name__, _named.__qualname__


def _completed(total: Any) -> Any:
    """Convert a sum that has the last chunk to a `CompleteAnswer`."""
    if isinstance(total, AnswerChunk) and total.chunk_position == "last":
        object.__setattr__(total, "__class__", CompleteAnswer)
        total.__dict__["type"] = "ai"
    return total


def _unpickled(is_complete: bool, state: dict[Any, Any]) -> _Answer:
    cls = CompleteAnswer if is_complete else AnswerChunk
    loaded = cls.__new__(cls)
    loaded.__setstate__(state)
    return loaded  # type: ignore[no-any-return]  # `__new__` returns anything


def _validated(chunk: ToolCallChunk, error: str | None) -> ToolCall | InvalidToolCall:
    arguments = chunk["args"] or ""
    if error is None:
        text = "{}" if arguments.strip() in ("", "null") else arguments
        try:
            args = CompleteCall(chunk["id"] or "", chunk["name"] or "", text).parsed()
        except ValueError as problem:
            error = str(problem)
        else:
            return tool_call(name=chunk["name"] or "", args=args, id=chunk["id"])
    return invalid_tool_call(name=chunk["name"] or None, args=arguments or None, id=chunk["id"], error=error)


class Chunks:
    """Converts the deltas of one answer to chunks.

    The first chunk has the metadata of the response itself, the last one the rest.

    Args:
        tools: The request's tools in OpenAI's format.
    """

    def __init__(self, tools: Sequence[dict[str, Any]] | None = None) -> None:
        self._tools = tools
        self._deferred: list[Delta] = []
        self._first: dict[str, Any] = {}
        self._emitted: set[str] = set()

    def push(self, deltas: list[Delta]) -> ChatGenerationChunk | None:
        """Convert deltas that arrived together.

        Returns:
            Their chunk; None if they have nothing that cannot wait for the next.
        """
        text = reasoning = ""
        calls: dict[int, ToolCallChunk] = {}
        info: dict[str, Any] = {}
        for delta in deltas:
            if isinstance(delta, TextDelta):
                text += delta.text
            elif isinstance(delta, ReasoningDelta):
                if not delta.replaces:  # a chunk cannot take back the text that turned out to be reasoning
                    reasoning += delta.text
            elif isinstance(delta, Logprobs):
                info.setdefault("logprobs", {"content": []})["content"] += delta.tokens
            elif isinstance(delta, Metadata):
                self._add_metadata(delta.values, info)
            else:
                self._deferred.append(delta)
                if isinstance(delta, ToolCallDelta):
                    _add_call(calls, delta)
        if not (text or reasoning or calls or info):
            return None
        first, self._first = self._first, {}
        message = message_chunk(
            text,
            {"reasoning_content": reasoning} if reasoning else {},
            {"model_provider": PROVIDER, **first, **info},
            list(calls.values()),
        )
        return generation_chunk(message, info or None)

    def _add_metadata(self, values: dict[str, Any], info: dict[str, Any]) -> None:
        later = {}
        for name, value in values.items():
            if value is None:
                continue
            if name == "token_ids":
                info.setdefault(name, []).extend(value)
            elif name not in metadata.OPENING:
                later[name] = value
            elif name not in self._emitted:
                self._emitted.add(name)
                self._first[RENAMED.get(name, name)] = value
        if later:
            self._deferred.append(Metadata(later))

    def finish(self) -> ChatGenerationChunk:
        """Return the last chunk."""
        answer = fold(self._deferred, tools=self._tools)
        end = response_end_metadata(answer)
        message = AnswerChunk(
            content="",
            response_metadata={"model_provider": PROVIDER, **self._first, **answer.metadata, **end},
            usage_metadata=usage_metadata(answer.usage),
            chunk_position="last",
        )
        info = {name: end[name] for name in ("finish_reason", "stop_reason") if name in end}
        return ChatGenerationChunk(message=message, generation_info=info or None)


def _add_call(calls: dict[int, ToolCallChunk], delta: ToolCallDelta) -> None:
    """Add a piece of a call to what the chunk has of that call already."""
    if delta.index in calls:
        call = calls[delta.index]
        call["args"] = (call["args"] or "") + delta.arguments
    else:
        calls[delta.index] = tool_call_chunk(name=delta.name, args=delta.arguments, id=delta.id, index=delta.index)


# Chunks without validation, which takes most of the time of a chunk: see `vllm_connect.adapters.unvalidated`.

MESSAGE_FIELDS = (
    "content",
    "additional_kwargs",
    "response_metadata",
    "type",
    "name",
    "id",
    "tool_calls",
    "invalid_tool_calls",
    "usage_metadata",
    "tool_call_chunks",
    "chunk_position",
)
OTHER_FIELDS = other_fields(AnswerChunk, MESSAGE_FIELDS)
OTHER_GENERATION_FIELDS = other_fields(ChatGenerationChunk, ("text", "generation_info", "type", "message"))


def message_chunk(
    content: str,
    additional_kwargs: dict[str, Any],
    response_metadata: dict[str, Any],
    tool_call_chunks: list[ToolCallChunk],
) -> AnswerChunk:
    """Build a chunk that is not the last one, as the constructor does; the arguments are kept."""
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
    for name, field in OTHER_FIELDS:
        values[name] = field.get_default(call_default_factory=True)
    fields_set = {"content", "additional_kwargs", "response_metadata", "tool_call_chunks"}
    if tool_call_chunks:
        fields_set.update(("tool_calls", "invalid_tool_calls"))
    built = object.__new__(AnswerChunk)
    set_fields(built, values)
    set_fields_set(built, fields_set)
    set_extra(built, {})
    set_private(built, None)
    return built


def generation_chunk(message: AIMessageChunk, generation_info: dict[str, Any] | None) -> ChatGenerationChunk:
    """Build the generation of a chunk, as the constructor does; the arguments are kept."""
    values = {
        "text": message.text,
        "generation_info": generation_info,
        "type": "ChatGenerationChunk",
        "message": message,
    }
    for name, field in OTHER_GENERATION_FIELDS:
        values[name] = field.get_default(call_default_factory=True)
    built = object.__new__(ChatGenerationChunk)
    set_fields(built, values)
    set_fields_set(built, {"text", "generation_info", "message"})
    set_extra(built, None)
    set_private(built, None)
    return built
