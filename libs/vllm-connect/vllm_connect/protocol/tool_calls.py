r"""Tool calls as servers send them, normalized.

`[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]`, then `[{"index":0,"function":{"arguments":"{}"}}]`.
The API promises that `index` tells calls apart and that name and id come once. Servers have been seen to omit the
index, to give every call the index 0, to repeat name and id in every fragment, to send the name in pieces or after the
arguments, and to send arguments as an object; here each call gets a new index, and its id and name once.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from vllm_connect.errors import ProtocolError
from vllm_connect.response.deltas import Delta, ToolCallDelta
from vllm_connect.response.tool_arguments import ArgumentsError, read_arguments

__all__ = ["MAX_CALLS", "CallFragment", "CallReader"]

MAX_CALLS = 128


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class CallFragment(Struct, gc=False):
    """One entry of `tool_calls`, or a legacy `function_call`."""

    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    name: str | None = None
    arguments: Any = None


class _Call:
    """One call as far as it has arrived."""

    __slots__ = ("arguments", "emitted", "id", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.emitted = False

    def complete(self) -> bool:
        """Check whether the arguments are complete, so that a name can only be the next call's."""
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False
        try:
            read_arguments("".join(self.arguments))
        except ArgumentsError:
            return False
        return True


class CallReader:
    """Reads the calls of one choice.

    Args:
        choice: The choice.
        new_id: Returns an id, from a tool's name and the call's index, for a call that has none.
    """

    def __init__(self, choice: int, new_id: Callable[[str, int], str]) -> None:
        self._choice = choice
        self._new_id = new_id
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def read(self, fragments: list[CallFragment], deltas: list[Delta]) -> None:
        """Read fragments and append their deltas."""
        for fragment in fragments:
            function = fragment.function
            name = (function.name if function is not None else fragment.name) or ""
            arguments = _text(function.arguments if function is not None else fragment.arguments)
            call = self._call(fragment, name, arguments, deltas)
            call.id = call.id or fragment.id or ""
            if name and not call.emitted and name != call.name:
                call.name += name
            if arguments:
                call.arguments.append(arguments)
                if call.emitted:
                    deltas.append(ToolCallDelta(call.index, None, None, arguments, self._choice))
                elif call.name:
                    self._emit(call, deltas)

    def finish(self, deltas: list[Delta]) -> None:
        """Append the deltas of calls that were not emitted yet."""
        for call in self._calls:
            if not call.emitted:
                self._emit(call, deltas)

    def _call(self, fragment: CallFragment, name: str, arguments: str, deltas: list[Delta]) -> _Call:
        """Find the call that a fragment belongs to, or start one."""
        last = self._calls[-1] if self._calls else None
        call = last if fragment.index is None else self._at.get(fragment.index)
        if call is not None and not self._is_next(call, fragment, name, arguments):
            return call
        if self._calls and not self._calls[-1].emitted and self._calls[-1].name:
            self._emit(self._calls[-1], deltas)
        if len(self._calls) == MAX_CALLS:
            raise ProtocolError(
                f"the answer has more than {MAX_CALLS} tool calls: the model may be in a loop; "
                "lower max_tokens, or set repetition_penalty",
                code="too_many_calls",
            )
        call = _Call(len(self._calls))
        self._calls.append(call)
        if fragment.index is not None:
            self._at[fragment.index] = call
        return call

    @staticmethod
    def _is_next(call: _Call, fragment: CallFragment, name: str, arguments: str) -> bool:
        """Check whether a fragment with the index of a call starts another call."""
        if not name:
            return False
        if fragment.id and call.id:
            return fragment.id != call.id
        if fragment.index is None and fragment.id and call.name:
            return True
        return bool(call.emitted and (name != call.name or (arguments and call.complete())))

    def _emit(self, call: _Call, deltas: list[Delta]) -> None:
        call.emitted = True
        call.id = call.id or self._new_id(call.name, call.index)
        arguments = "".join(call.arguments)
        deltas.append(ToolCallDelta(call.index, call.id, call.name, arguments, self._choice))


def _text(arguments: Any) -> str:
    """Convert arguments to JSON text: verbatim where they are text, empty where they are null."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
