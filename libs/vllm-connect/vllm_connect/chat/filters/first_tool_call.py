"""One tool call where one was requested: `parallel_tool_calls=False`, enforced on the client too.

A server with a parser passes the first call on and drops the others; so does this filter, for calls from any parser, and
the metadata has what was dropped.
"""

from typing import Any

from vllm_connect.response.deltas import Delta, Finish, Metadata, ToolCallDelta

__all__ = ["FirstToolCallFilter"]


class FirstToolCallFilter:
    """Passes on the first call of a choice.

    Args:
        choice: The choice.
    """

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._dropped: dict[int, dict[str, Any]] = {}

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta; see `Filter.push`."""
        if isinstance(delta, ToolCallDelta) and delta.index > 0:
            call = self._dropped.setdefault(delta.index, {"name": "", "arguments": ""})
            call["name"] += delta.name or ""
            call["arguments"] += delta.arguments
            return []
        if isinstance(delta, Finish) and self._dropped:
            return [Metadata({"dropped_tool_calls": list(self._dropped.values())}, self._choice), delta]
        return [delta]

    def finish(self) -> list[Delta]:
        """Return nothing: nothing is held back."""
        return []
