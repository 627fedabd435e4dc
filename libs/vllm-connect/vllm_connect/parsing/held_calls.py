"""Calls that are held back until it is known whether they are drafts inside of reasoning.

`Maybe <tool_call>...</tool_call>. No.</think>Hello` has a draft, which is not a call; the same call at the end of an answer
that has no `</think>` is one. The text around them is passed on meanwhile.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from vllm_connect.parsing.markers import compile_markers
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.response.deltas import Delta, TextDelta, ToolCallDelta

__all__ = ["HeldCalls", "read_calls"]


class HeldCalls:
    """Calls that are held back.

    Args:
        scanner: The scanner that reads them.
        tools: The request's tools.

    Attributes:
        count: Their number.
    """

    def __init__(self, scanner: Scanner, tools: Tools) -> None:
        self._scanner = scanner
        self._tools = tools
        self._deltas: list[ToolCallDelta] = []
        self.count = 0

    def read(
        self, marker: str, read_block: Callable[[str], Reading[None]], ends: tuple[str, ...], *, text: bool
    ) -> Reading[bool]:
        """Read a block and hold its calls back.

        Args:
            marker: The start marker.
            read_block: Reads what follows the marker.
            ends: Markers that end the reasoning; a block without a valid call does not reach beyond one.
            text: Whether to emit the block's text, if it has any.

        Returns:
            Whether the block has calls and no text.
        """
        scanner = self._scanner
        start, before = scanner.position(1), scanner.calls
        scanner.defer(calls_only=text)
        yield from read_block(marker)
        found = scanner.deferred()
        calls = [delta for delta in found if isinstance(delta, ToolCallDelta)]
        is_clean = bool(calls) and not any(isinstance(delta, TextDelta) and delta.text.strip() for delta in found)
        if not is_clean or not self._are_valid(calls):
            block = scanner.text_since(start)
            end = compile_markers(ends).pattern.search(block, len(marker)) if ends else None
            if end is not None and scanner.rewind(block[end.start() :]):
                scanner.drop_calls(before)
                return False
        self._deltas += calls
        self.count += scanner.calls - before
        return is_clean

    def are_valid(self, start: int = 0) -> bool:
        """Check whether the calls from one on are complete, declared and valid."""
        first = self._scanner.calls - self.count + start
        return self._are_valid(delta for delta in self._deltas if delta.index >= first)

    def _are_valid(self, deltas: Iterable[Delta]) -> bool:
        return all(
            ended and self._tools.validation_error(name, arguments) is None
            for _, name, arguments, ended in read_calls(deltas)
        )

    def release(self, *, complete: bool = True) -> list[str]:
        """Emit the calls and return their ids.

        Args:
            complete: Whether they may be executed; if not, they are emitted as incomplete.
        """
        self._scanner.deltas.extend(delta if complete else replace(delta, ended=False) for delta in self._deltas)
        ids = [delta.id for delta in self._deltas if delta.id is not None]
        self._deltas, self.count = [], 0
        return ids

    def drop(self, start: int = 0) -> None:
        """Drop the calls from one on: they were drafts."""
        first = self._scanner.calls - self.count + start
        self._deltas = [delta for delta in self._deltas if delta.index < first]
        self._scanner.drop_calls(first)
        self.count = start


def read_calls(deltas: Iterable[Delta]) -> list[tuple[str, str, str, bool]]:
    """Return the id, name and arguments of calls, and whether each has ended."""
    names: dict[int, tuple[str, str]] = {}
    arguments: dict[int, list[str]] = {}
    ended: dict[int, bool] = {}
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            names.setdefault(delta.index, (delta.id or "", delta.name or ""))
            arguments.setdefault(delta.index, []).append(delta.arguments)
            ended[delta.index] = bool(delta.ended)
    return [(*names[index], "".join(arguments[index]) or "{}", ended[index]) for index in names]
