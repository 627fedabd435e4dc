"""A parser of a model's text as it arrives: reasoning, answer and tool calls.

    parser = OutputParser(tool_parser="hermes", reasoning_parser="qwen3", tools=tools)
    deltas = parser.push("<think>Hm.</think><tool_call>...")
    deltas += parser.finish()

`parse_output(text, tool_parser="hermes")` does the same with a whole text and folds the deltas. Neither raises on anything that
a model may write: text without markup passes unchanged, and a truncated or malformed call folds to an `InvalidToolCall`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from vllm_connect.parsing.auto_format import auto_format
from vllm_connect.parsing.format import Format, find_format
from vllm_connect.parsing.ids import id_source
from vllm_connect.parsing.markers import Markers, compile_markers
from vllm_connect.parsing.reasoning import Reasoning, find_reasoning
from vllm_connect.parsing.repair import repair_deltas
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.response.completion import Completion, fold
from vllm_connect.response.deltas import Delta, ToolCallDelta

__all__ = ["OutputParser", "parse_output"]


class OutputParser:
    """A parser of one answer.

    Args:
        tool_parser: A format or its name; `auto` for every format with unambiguous markers; None to parse no calls.
        reasoning_parser: A reasoning parser's name, or its markers; `auto` for every unambiguous start marker; None to
            parse no reasoning.
        tools: The tools in OpenAI's format; None if they are not known, and any name may be called.
        choice: The choice that the deltas belong to.
        new_id: Creates an id, from a tool's name and the call's index; None for the form that the format prescribes.
        recover: Accept only calls that are complete, declared and valid, as if the markers were ambiguous.
        calls_in_reasoning: Parse calls in the reasoning too.

    Raises:
        ConfigurationError: There is no format, or no reasoning parser, of that name.
    """

    def __init__(
        self,
        tool_parser: str | Format | None = None,
        reasoning_parser: str | Reasoning | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        choice: int = 0,
        new_id: Callable[[str, int], str] | None = None,
        recover: bool = False,
        calls_in_reasoning: bool = False,
    ) -> None:
        self.format = _format(tool_parser)
        self._reasonings = find_reasoning(reasoning_parser)
        self._tools = Tools(tools)
        self._hold = recover or (self.format is not None and not self.format.unambiguous)
        self._calls_in_reasoning = calls_in_reasoning
        source = new_id or id_source(self.format.call_id if self.format else None)
        ignored_between = (self.format.ignored_between,) if self.format else ()
        self._scanner = Scanner(choice, source, *ignored_between)
        self._reading = self._read()
        self._finished = False
        self._markers = _markers_of(self.format, self._reasonings)
        self._awaited = None if self._markers.starts_in_reasoning else self._markers.compiled

    def push(self, text: str) -> list[Delta]:
        """Parse a piece of the answer.

        Args:
            text: The next piece of the answer.

        Returns:
            The deltas that are complete; text that may be the start of a marker waits for the next piece.
        """
        if text:
            if self._awaited is not None and self._awaited.absent(text):
                self._scanner.pass_through(text)
            else:
                self._awaited = None
                self._scanner.push(text)
                next(self._reading, None)
        return self._take_deltas()

    def finish(self) -> list[Delta]:
        """Parse the end of the answer.

        Returns:
            The remaining deltas; a block that began and named no call is text.
        """
        if not self._finished:
            self._finished = True
            self._scanner.finish()
            if self._awaited is None:
                next(self._reading, None)
        return self._take_deltas()

    @property
    def calls(self) -> int:
        """The number of calls that were started."""
        return self._scanner.calls

    @property
    def steps(self) -> int:
        """The number of times the text was examined."""
        return self._scanner.steps

    def _take_deltas(self) -> list[Delta]:
        deltas = self._scanner.deltas
        self._scanner.deltas = []
        return deltas

    def _read(self) -> Reading[None]:
        scanner = self._scanner
        if self._markers.starts_in_reasoning:
            yield from self._read_first_reasoning(self._reasonings[0])
        start_markers = self.format.start_markers if self.format else ()
        reasonings, markers = self._markers.reasonings, self._markers.all
        while True:
            if not markers:
                yield from scanner.forward_rest(scanner.emit_text)
                return
            marker = yield from scanner.forward_until(markers, scanner.emit_text)
            if marker in reasonings:
                yield from self._read_reasoning(reasonings[marker])
            elif marker in start_markers:
                yield from self._read_block(marker)
            elif not marker:
                return

    def _read_first_reasoning(self, reasoning: Reasoning) -> Reading[None]:
        """Read reasoning whose start marker is in the prompt, or in the text after whitespace."""
        scanner = self._scanner
        space = yield from scanner.skip_whitespace()
        if not (reasoning.start_markers and (yield from scanner.accept(*reasoning.start_markers))) and space:
            scanner.emit_reasoning(space)
        yield from self._read_reasoning(reasoning)

    def _read_reasoning(self, reasoning: Reasoning) -> Reading[None]:
        scanner = self._scanner
        start_markers = self.format.start_markers if self.format and self._calls_in_reasoning else ()
        while True:
            marker = yield from scanner.forward_until((reasoning.end_marker, *start_markers), scanner.emit_reasoning)
            if marker not in start_markers:
                return
            yield from self._read_block(marker)

    def _read_block(self, marker: str) -> Reading[None]:
        format_ = self.format
        if format_ is None:
            return
        scanner = self._scanner
        calls_before = scanner.calls
        scanner.begin(marker, hold=self._hold)
        complete = yield from format_.block(scanner, marker, self._tools)
        if complete and scanner.calls > calls_before and self._held_calls_are_valid():
            scanner.commit()
        else:
            scanner.rollback()

    def _held_calls_are_valid(self) -> bool:
        """Check whether the calls that are held back are declared and valid."""
        calls: dict[int, tuple[str, list[str]]] = {}
        for delta in self._scanner.held_calls():
            if isinstance(delta, ToolCallDelta):
                _, pieces = calls.setdefault(delta.index, (delta.name or "", []))
                pieces.append(delta.arguments)
        return all(
            self._tools.validation_error(name, "".join(pieces) or "{}") is None for name, pieces in calls.values()
        )


class _Markers(NamedTuple):
    """The markers to search for in an answer.

    Attributes:
        starts_in_reasoning: Whether the answer begins inside of reasoning.
        reasonings: The reasoning by its start marker.
        all: These markers, those that begin calls, and those that are ignored.
        compiled: The same, compiled.
    """

    starts_in_reasoning: bool
    reasonings: dict[str, Reasoning]
    all: tuple[str, ...]
    compiled: Markers


@lru_cache(maxsize=256)
def _markers_of(format_: Format | None, reasonings: tuple[Reasoning, ...]) -> _Markers:
    """Collect the markers, once."""
    started = {marker: reasoning for reasoning in reasonings for marker in reasoning.start_markers}
    answers = [marker for reasoning in reasonings for marker in reasoning.answer_markers]
    calls = (*format_.start_markers, *format_.ignored_markers) if format_ else ()
    markers = (*calls, *answers, *started)
    return _Markers(
        any(reasoning.starts_in_reasoning for reasoning in reasonings), started, markers, compile_markers(markers)
    )


def _format(parser: str | Format | None) -> Format | None:
    if parser == "auto":
        return auto_format()
    return find_format(parser) if isinstance(parser, str) else parser


def parse_output(
    text: str,
    tool_parser: str | Format | None = None,
    reasoning_parser: str | Reasoning | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    *,
    repair: bool = False,
) -> Completion:
    """Parse a whole answer.

    Args:
        text: The model's text, special tokens included.
        tool_parser: As for `OutputParser`.
        reasoning_parser: As for `OutputParser`.
        tools: As for `OutputParser`.
        repair: Repair arguments that are not JSON and have one possible meaning; `metadata["repaired_tool_calls"]` lists
            the ids of these calls.

    Returns:
        The answer.

    Raises:
        ConfigurationError: There is no format, or no reasoning parser, of that name.
    """
    parser = OutputParser(tool_parser, reasoning_parser, tools)
    deltas = [*parser.push(text), *parser.finish()]
    return fold(repair_deltas(deltas) if repair else deltas, tools=tools)
