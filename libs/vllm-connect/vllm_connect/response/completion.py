"""An answer, folded from its deltas.

`fold([TextDelta("Hel"), TextDelta("lo"), Finish("stop")])` is `Completion(text="Hello", finish_reason="stop")`.
The same fold serves a stream, a whole response, a server's parser and ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from vllm_connect.response.deltas import (
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from vllm_connect.response.metadata import GROWING
from vllm_connect.response.tool_arguments import TRUNCATED, ArgumentsError, read_arguments, required_parameters

__all__ = ["Completion", "InvalidToolCall", "ToolCall", "Usage", "fold", "fold_choices"]


class ToolCall(Struct, frozen=True):
    """A call that may be executed.

    Attributes:
        id: Its id, unique in the conversation.
        name: The tool's name.
        arguments: The arguments, JSON text of one strict object, verbatim as the model wrote it.
        known: Whether the request declared the tool; None where the tools are not known.
    """

    id: str
    name: str
    arguments: str
    known: bool | None = None

    def parsed(self) -> dict[str, Any]:
        """Parse the arguments."""
        return read_arguments(self.arguments)


class InvalidToolCall(Struct, frozen=True):
    """A call that must not be executed: truncated, malformed or without a name.

    Attributes:
        id: Its id.
        name: The tool's name, as far as the model wrote it.
        arguments: The arguments' text, as far as the model wrote it.
        error: Why it is invalid.
    """

    id: str
    name: str
    arguments: str
    error: str


class Completion(Struct, frozen=True):
    """One answer.

    Attributes:
        text: The answer's text, empty where there is none.
        reasoning: The model's reasoning, empty where there is none.
        tool_calls: The calls that may be executed, in the model's order.
        invalid_tool_calls: The calls that must not be executed, in the model's order.
        finish_reason: Why the model stopped; None where the answer was interrupted.
        stop_reason: The stop string or token id that matched.
        usage: Token counts of the request, None where not reported.
        logprobs: Log probabilities of the tokens, None where not requested.
        metadata: What stands beside the answer; `vllm_connect.response.metadata` lists the keys.
        choice: Which of the `n` answers this is.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    invalid_tool_calls: tuple[InvalidToolCall, ...] = ()
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    usage: Usage | None = None
    logprobs: tuple[dict[str, Any], ...] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    choice: int = 0


def fold(deltas: Iterable[Delta], *, choice: int = 0, tools: Sequence[Mapping[str, Any]] | None = None) -> Completion:
    """Fold the deltas of one answer.

    Args:
        deltas: Deltas in order; those of other choices are ignored.
        choice: The answer to fold.
        tools: The request's tools in OpenAI's shape; a call of another tool is marked, not dropped.

    Returns:
        The answer. Arguments that are empty or `null` are `{}` unless the tool requires a parameter. A call
        whose arguments are not a strict JSON object, or may be truncated, is invalid.
    """
    return _Answer(choice).add(deltas).completion(tools)


def fold_choices(deltas: Iterable[Delta], *, tools: Sequence[Mapping[str, Any]] | None = None) -> list[Completion]:
    """Fold the deltas of all `n` answers.

    Args:
        deltas: Deltas in order, the choices interleaved or not.
        tools: As for `fold`.

    Returns:
        One completion for each choice seen, by choice; at least one.
    """
    deltas = list(deltas)
    choices = {0} | {d.choice for d in deltas if d.choice is not None}
    return [fold(deltas, choice=choice, tools=tools) for choice in sorted(choices)]


class _Call:
    """A call under construction."""

    __slots__ = ("arguments", "ended", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.ended: bool | None = None


class _Answer:
    """A completion under construction."""

    def __init__(self, choice: int) -> None:
        self.choice = choice
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.calls: dict[int, _Call] = {}
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self.logprobs: list[dict[str, Any]] | None = None
        self.metadata: dict[str, Any] = {}

    def add(self, deltas: Iterable[Delta]) -> "_Answer":
        for delta in deltas:
            if isinstance(delta, UsageReport):
                self.usage = delta.usage
            elif isinstance(delta, Metadata):
                if delta.choice is None or delta.choice == self.choice:
                    self._add_metadata(delta.values)
            elif delta.choice != self.choice:
                continue
            elif isinstance(delta, TextDelta | ReasoningDelta):
                self._add_content(delta)
            elif isinstance(delta, ToolCallDelta):
                self._call(delta)
            elif isinstance(delta, Finish):
                self.finish = delta
            elif isinstance(delta, Logprobs):
                self.logprobs = [*(self.logprobs or ()), *delta.tokens]
        return self

    def _add_content(self, delta: TextDelta | ReasoningDelta) -> None:
        if delta.replaces:
            self.text.clear()
            self.reasoning.clear()
        (self.text if isinstance(delta, TextDelta) else self.reasoning).append(delta.text)

    def _add_metadata(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if name in GROWING and isinstance(value, list):
                self.metadata[name] = [*self.metadata.get(name, ()), *value]
            else:
                self.metadata[name] = value

    def _call(self, delta: ToolCallDelta) -> None:
        call = self.calls.setdefault(delta.index, _Call())
        call.id = call.id or delta.id or ""
        call.name = call.name or delta.name or ""
        call.arguments.append(delta.arguments)
        call.ended = call.ended if delta.ended is None else delta.ended

    def completion(self, tools: Sequence[Mapping[str, Any]] | None) -> Completion:
        valid: list[ToolCall] = []
        invalid: list[InvalidToolCall] = []
        reason = self.finish.reason if self.finish else None
        last = max(self.calls, default=-1)
        for index in sorted(self.calls):
            call = self.calls[index]
            cut = index == last and not call.ended and reason in TRUNCATED
            broken = "the call is incomplete or its markup is damaged" if call.ended is False else None
            checked = _checked(call, f"the answer was truncated ({reason})" if cut else broken, tools)
            if isinstance(checked, ToolCall):
                valid.append(checked)
            else:
                invalid.append(checked)
        return Completion(
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            tool_calls=tuple(valid),
            invalid_tool_calls=tuple(invalid),
            finish_reason=reason,
            stop_reason=self.finish.stop_reason if self.finish else None,
            usage=self.usage,
            logprobs=None if self.logprobs is None else tuple(self.logprobs),
            metadata=self.metadata,
            choice=self.choice,
        )


def _checked(call: _Call, cut: str | None, tools: Sequence[Mapping[str, Any]] | None) -> ToolCall | InvalidToolCall:
    arguments = "".join(call.arguments)
    required = required_parameters(tools, call.name)
    if arguments.strip() in ("", "null") and not required:
        arguments = "{}"
    try:
        if cut:
            raise ArgumentsError(cut)
        if not call.name:
            raise ArgumentsError("the call has no tool name")
        read_arguments(arguments)
    except ArgumentsError as error:
        return InvalidToolCall(call.id, call.name, arguments, str(error))
    return ToolCall(call.id, call.name, arguments, None if tools is None else required is not None)
