"""A stream's chunks, and how the deltas of an answer become them.

`[ToolCallDelta(0, "call_1", "add", '{"a"')]` is a chunk with
`tool_call_chunks=[{"index": 0, "id": "call_1", "name": "add", "args": '{"a"'}]`. Deltas that arrived together are
one chunk. The last chunk, which is empty, carries what is known at the end only: finish reason, usage, and which
calls are invalid. Until it has come, no call is in `tool_calls`: half a call is never one that an agent may run.
"""

from collections.abc import Sequence
from typing import Any

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
    ToolCallDelta,
    fold,
)
from vllm_connect import ToolCall as CompleteCall

from langchain_vllm.construct import generation_chunk, message_chunk
from langchain_vllm.messages import PROVIDER, RENAMED, ending_metadata, usage_metadata

__all__ = ["AnswerChunk", "Chunks"]


class _FinishedAnswer(AIMessageChunk):
    """What `AnswerChunk` turns into when a stream has ended: an `AIMessage`.

    langchain-core takes the first parent of a chunk's class for the class of the finished message.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is _FinishedAnswer:
            return AIMessage(*args, **kwargs)
        return super().__new__(cls)


class AnswerChunk(_FinishedAnswer):
    """A piece of an answer, or a sum of pieces.

    Its calls are judged once, when the last piece has come, as those of an answer that came whole: arguments that
    are no strict JSON object, or that the end of the answer cut, are in `invalid_tool_calls`. `AIMessageChunk`
    would complete them by guessing, so that half a path in a call could be run.
    """

    @model_validator(mode="after")
    def init_tool_calls(self) -> "AnswerChunk":
        """Judge the calls, if this is the end."""
        if not self.tool_call_chunks:
            return super().init_tool_calls()  # type: ignore[operator, no-any-return]  # pydantic leaves the function
        calls: list[ToolCall] = []
        invalid: list[InvalidToolCall] = []
        if self.chunk_position == "last":
            errors = self.response_metadata.get("tool_call_errors") or {}
            for chunk in self.tool_call_chunks:
                judged = _judge(chunk, errors.get(chunk["id"]))
                if judged["type"] == "tool_call":
                    calls.append(judged)
                else:
                    invalid.append(judged)
            self._settle_content({call["id"]: call for call in (*calls, *invalid)})
        self.tool_calls = calls
        self.invalid_tool_calls = invalid
        return self

    def _settle_content(self, calls: dict[str | None, Any]) -> None:
        if isinstance(self.content, list):
            self.content = [
                calls.get(block.get("id"), block)
                if isinstance(block, dict) and block.get("type") == "tool_call_chunk"
                else block
                for block in self.content
            ]

    def __radd__(self, other: Any) -> Any:
        """Come second to a plain chunk, which must not judge in our place."""
        if not isinstance(other, AIMessageChunk):
            return NotImplemented
        fields = {name: value for name, value in other.__dict__.items() if name != "type"}
        return add_ai_message_chunks(type(self)(**fields), self)

    def __eq__(self, other: object) -> bool:
        """Compare as any two chunks compare, whatever their classes."""
        if not isinstance(other, AIMessageChunk):
            return NotImplemented
        return self.__dict__ == other.__dict__ and self.__pydantic_extra__ == other.__pydantic_extra__

    __hash__ = None  # type: ignore[assignment]  # as for every message: it can change

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialise as `AIMessageChunk`, which every LangChain can load."""
        return AIMessageChunk.lc_id()

    def to_json(self) -> Any:
        """Serialise; with an invalid call as a whole message, since a loaded chunk would judge again."""
        if not self.invalid_tool_calls:
            return super().to_json()
        skipped = ("type", "tool_call_chunks", "chunk_position")
        return AIMessage(**{name: value for name, value in self.__dict__.items() if name not in skipped}).to_json()


def _judge(chunk: ToolCallChunk, error: str | None) -> ToolCall | InvalidToolCall:
    arguments = chunk["args"] or ""
    if error is None:
        text = "{}" if arguments.strip() in ("", "null") else arguments
        try:
            args = CompleteCall(chunk["id"] or "", chunk["name"] or "", text).parsed()
        except ValueError as broken:
            error = str(broken)
        else:
            return tool_call(name=chunk["name"] or "", args=args, id=chunk["id"])
    return invalid_tool_call(name=chunk["name"] or None, args=arguments or None, id=chunk["id"], error=error)


OPENING = ("id", "model", "created", "system_fingerprint")
"""What the first chunk tells of the answer; all else is told by the last."""


class Chunks:
    """Turns the deltas of one answer into chunks.

    Args:
        tools: The request's tools in OpenAI's shape.
    """

    def __init__(self, tools: Sequence[dict[str, Any]] | None = None) -> None:
        self._tools = tools
        self._kept: list[Delta] = []
        self._opening: dict[str, Any] = {}
        self._told: set[str] = set()

    def feed(self, deltas: list[Delta]) -> ChatGenerationChunk | None:
        """Take deltas that arrived together.

        Returns:
            Their chunk, None if they tell nothing that cannot wait for the next.
        """
        text = reasoning = ""
        calls: dict[int, ToolCallChunk] = {}
        beside: dict[str, Any] = {}
        for delta in deltas:
            if isinstance(delta, TextDelta):
                text += delta.text
            elif isinstance(delta, ReasoningDelta):
                reasoning += delta.text
            elif isinstance(delta, Logprobs):
                beside.setdefault("logprobs", {"content": []})["content"] += delta.tokens
            elif isinstance(delta, Metadata):
                self._learn(delta.values, beside)
            else:
                self._kept.append(delta)
                if isinstance(delta, ToolCallDelta):
                    _add(calls, delta)
        if not (text or reasoning or calls or beside):
            return None
        opening, self._opening = self._opening, {}
        message = message_chunk(
            AnswerChunk,
            text,
            {"reasoning_content": reasoning} if reasoning else {},
            {"model_provider": PROVIDER, **opening, **beside},
            list(calls.values()),
        )
        return generation_chunk(message, beside or None)

    def _learn(self, values: dict[str, Any], beside: dict[str, Any]) -> None:
        later = {}
        for name, value in values.items():
            if value is None:
                continue
            if name == "token_ids":
                beside.setdefault(name, []).extend(value)
            elif name not in OPENING:
                later[name] = value
            elif name not in self._told:
                self._told.add(name)
                self._opening[RENAMED.get(name, name)] = value
        if later:
            self._kept.append(Metadata(later))

    def end(self) -> ChatGenerationChunk:
        """Give the last chunk."""
        answer = fold(self._kept, tools=self._tools)
        ending = ending_metadata(answer)
        message = AnswerChunk(
            content="",
            response_metadata={"model_provider": PROVIDER, **self._opening, **answer.metadata, **ending},
            usage_metadata=usage_metadata(answer.usage),
            chunk_position="last",
        )
        info = {name: ending[name] for name in ("finish_reason", "stop_reason") if name in ending}
        return ChatGenerationChunk(message=message, generation_info=info or None)


def _add(calls: dict[int, ToolCallChunk], delta: ToolCallDelta) -> None:
    """Put a piece of a call to what the chunk has of that call already."""
    if delta.index in calls:
        call = calls[delta.index]
        call["args"] = (call["args"] or "") + delta.arguments
    else:
        calls[delta.index] = tool_call_chunk(name=delta.name, args=delta.arguments, id=delta.id, index=delta.index)
