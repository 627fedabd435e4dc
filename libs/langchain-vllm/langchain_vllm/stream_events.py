"""Content-block events (`stream_events(version="v3")`), and how deltas are converted to them.

`[TextDelta("Hel")]` is `{"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}}` and
`{"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": "Hel"}}`. Blocks stay open
until the answer has ended; only then is it known which calls may be run.
Source: langchain_protocol.protocol.MessagesData. An older langchain-core ignores a delta type that it does not know; it
loses nothing, since the end of a block repeats everything.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from langchain_core.utils.utils import LC_ID_PREFIX
from vllm_connect import Delta, Metadata, ReasoningDelta, TextDelta, ToolCallDelta, fold

from langchain_vllm.messages import PROVIDER, from_completion

if TYPE_CHECKING:
    from langchain_protocol.protocol import MessagesData

__all__ = ["Events"]

TEXT = "text"
REASONING = "reasoning"


class Events:
    """Converts the deltas of one answer to events.

    Args:
        tools: The request's tools in OpenAI's format.
        run_id: The run, from which the message's id is built as LangChain builds it.
    """

    def __init__(self, tools: Sequence[dict[str, Any]] | None = None, run_id: UUID | None = None) -> None:
        self._tools = tools
        self._id = f"{LC_ID_PREFIX}-{run_id}" if run_id else ""
        self._deltas: list[Delta] = []
        self._blocks: dict[str | int, int] = {}
        self._started = False

    def push(self, deltas: list[Delta]) -> "list[MessagesData]":
        """Convert deltas that arrived together."""
        self._deltas += deltas
        events: list[Any] = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                self._write(events, TEXT, {"type": "text", "text": ""}, {"type": "text-delta", "text": delta.text})
            elif isinstance(delta, ReasoningDelta) and not delta.replaces:
                piece = {"type": "reasoning-delta", "reasoning": delta.text}
                self._write(events, REASONING, {"type": "reasoning", "reasoning": ""}, piece)
            elif isinstance(delta, ToolCallDelta):
                block = {
                    "type": "tool_call_chunk",
                    "id": delta.id,
                    "name": delta.name,
                    "args": "",
                    "index": delta.index,
                }
                self._write(events, delta.index, block, {"type": "tool-call-delta", "args": delta.arguments})
        return cast("list[MessagesData]", self._start() + events if events else events)

    def _start(self) -> list[Any]:
        if self._started:
            return []
        self._started = True
        values = next((d.values for d in self._deltas if isinstance(d, Metadata)), {})
        metadata = {"provider": PROVIDER, "model": values.get("model")}
        known = {name: value for name, value in metadata.items() if value is not None}
        return [{"event": "message-start", "role": "ai", "id": self._id, "metadata": known}]

    def _write(self, events: list[Any], key: str | int, block: dict[str, Any], piece: dict[str, Any]) -> None:
        index = self._blocks.get(key)
        if index is None:
            index = self._blocks[key] = len(self._blocks)
            events.append({"event": "content-block-start", "index": index, "content": block})
        if piece.get("args", True):
            events.append({"event": "content-block-delta", "index": index, "delta": piece})

    def finish(self) -> "list[MessagesData]":
        """Return the events of the end."""
        answer = fold(self._deltas, tools=self._tools)
        message = from_completion(answer)
        calls: dict[str | None, Any] = {call["id"]: call for call in (*message.tool_calls, *message.invalid_tool_calls)}
        ids = {d.index: d.id for d in self._deltas if isinstance(d, ToolCallDelta) and d.id is not None}
        contents: dict[str | int, Any] = {
            TEXT: {"type": "text", "text": message.content},
            REASONING: {"type": "reasoning", "reasoning": message.additional_kwargs.get("reasoning_content", "")},
            **{index: calls[id_] for index, id_ in ids.items()},
        }
        events: list[Any] = self._start()
        events += [
            {"event": "content-block-finish", "index": index, "content": dict(contents[key])}
            for key, index in self._blocks.items()
        ]
        finish: dict[str, Any] = {"event": "message-finish", "metadata": message.response_metadata}
        if message.usage_metadata:
            finish["usage"] = message.usage_metadata
        if message.additional_kwargs:
            finish["additional_kwargs"] = message.additional_kwargs
        return cast("list[MessagesData]", [*events, finish])
