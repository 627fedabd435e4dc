"""A model's text, read as it comes: reasoning, answer and tool calls.

    parser = OutputParser(tool_parser="hermes", reasoning_parser="qwen3", tools=tools)
    deltas = parser.push("<think>Hm.</think><tool_call>...")
    deltas += parser.finish()

`parse_output(text, tool_parser="hermes")` does the same to a whole text and folds. Neither raises on anything a model may
write: what is no markup comes out as text, and a call that breaks off or is malformed folds to an `InvalidToolCall`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from vllm_connect.parsing.auto_format import sniffing_format
from vllm_connect.parsing.format import Format, find_format
from vllm_connect.parsing.ids import new_ids
from vllm_connect.parsing.markers import Stops, stops_of
from vllm_connect.parsing.reasoning import Reasoning, find_reasoning
from vllm_connect.parsing.repair import repaired
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.response.completion import Completion, fold
from vllm_connect.response.deltas import Delta, ToolCallDelta

__all__ = ["OutputParser", "parse_output"]


class OutputParser:
    """Reads one answer.

    Args:
        tool_parser: A format or its name, `auto` for any that is unmistakable; None where no calls are looked for.
        reasoning_parser: The name of a reasoning parser, `auto` for any unmistakable opener, None where reasoning is not
            looked for.
        tools: The tools in OpenAI's shape; None where they are not known and any name may be called.
        choice: The choice that the deltas are of.
        new_id: Makes an id, from a tool's name and the call's index; None for the format's rule.
        recover: Take nothing for a call that is not complete, declared and fitting, as if the markers proved nothing.
        calls_in_reasoning: Look for calls in the reasoning too.

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
        self._hold = recover or (self.format is not None and not self.format.unmistakable)
        self._calls_in_reasoning = calls_in_reasoning
        make_id = new_id or new_ids(self.format.id_of if self.format else None)
        between = (self.format.between,) if self.format else ()
        self._scanner = Scanner(choice, make_id, *between)
        self._reading = self._read()
        self._ended = False
        self._words = _words(self.format, self._reasonings)
        self._awaited = None if self._words.started else self._words.stops

    def push(self, text: str) -> list[Delta]:
        """Take text and give what can be said of it now.

        Args:
            text: The next piece of the answer.

        Returns:
            Deltas; text that may be the beginning of a marker waits for the next piece.
        """
        if text:
            if self._awaited is not None and self._awaited.absent(text):
                self._scanner.pass_by(text)
            else:
                self._awaited = None
                self._scanner.feed(text)
                next(self._reading, None)
        return self._given()

    def finish(self) -> list[Delta]:
        """Take the end of the answer and give the rest.

        Returns:
            Deltas; a block that was begun and named no call is text.
        """
        if not self._ended:
            self._ended = True
            self._scanner.close()
            if self._awaited is None:
                next(self._reading, None)
        return self._given()

    @property
    def calls(self) -> int:
        """How many calls have been named."""
        return self._scanner.calls

    @property
    def steps(self) -> int:
        """How many times the text was looked at."""
        return self._scanner.steps

    def _given(self) -> list[Delta]:
        deltas = self._scanner.deltas
        self._scanner.deltas = []
        return deltas

    def _read(self) -> Reading[None]:
        scanner = self._scanner
        if self._words.started:
            yield from self._started(self._reasonings[0])
        openers = self.format.openers if self.format else ()
        reasonings, stops = self._words.reasonings, self._words.all
        while True:
            if not stops:
                yield from scanner.rest(scanner.text)
                return
            stop = yield from scanner.until(stops, scanner.text)
            if stop in reasonings:
                yield from self._reason(reasonings[stop])
            elif stop in openers:
                yield from self._block(stop)
            elif not stop:
                return

    def _started(self, reasoning: Reasoning) -> Reading[None]:
        """Read reasoning whose opener is in the prompt, or in the text after white space."""
        scanner = self._scanner
        space = yield from scanner.space()
        if not (reasoning.all_openers and (yield from scanner.find(*reasoning.all_openers))) and space:
            scanner.reasoning(space)
        yield from self._reason(reasoning)

    def _reason(self, reasoning: Reasoning) -> Reading[None]:
        scanner = self._scanner
        openers = self.format.openers if self.format and self._calls_in_reasoning else ()
        while True:
            stop = yield from scanner.until((reasoning.closer, *openers), scanner.reasoning)
            if stop not in openers:
                return
            yield from self._block(stop)

    def _block(self, opener: str) -> Reading[None]:
        format_ = self.format
        if format_ is None:
            return
        scanner = self._scanner
        before = scanner.calls
        scanner.attempt(opener, hold=self._hold)
        whole = yield from format_.block(scanner, opener, self._tools)
        if whole and scanner.calls > before and self._fits():
            scanner.accept()
        else:
            scanner.reject()

    def _fits(self) -> bool:
        """Tell whether the held calls may be said."""
        calls: dict[int, tuple[str, list[str]]] = {}
        for delta in self._scanner.held_calls():
            if isinstance(delta, ToolCallDelta):
                _, pieces = calls.setdefault(delta.index, (delta.name or "", []))
                pieces.append(delta.arguments)
        return all(self._tools.misfit(name, "".join(pieces) or "{}") is None for name, pieces in calls.values())


class _Words(NamedTuple):
    """What is looked for in an answer.

    Attributes:
        started: Whether the answer begins inside of reasoning.
        reasonings: The words that begin reasoning.
        all: These, and those that begin a call or mean nothing.
        stops: The same, ready to be looked for.
    """

    started: bool
    reasonings: dict[str, Reasoning]
    all: tuple[str, ...]
    stops: Stops


@lru_cache(maxsize=256)
def _words(format_: Format | None, reasonings: tuple[Reasoning, ...]) -> _Words:
    """List what is looked for, once."""
    began = {word: reasoning for reasoning in reasonings for word in reasoning.all_openers}
    answers = (word for reasoning in reasonings for word in reasoning.answer)
    words = (*(format_.openers if format_ else ()), *(format_.noise if format_ else ()), *answers, *began)
    return _Words(any(reasoning.started for reasoning in reasonings), began, words, stops_of(words))


def _format(parser: str | Format | None) -> Format | None:
    if parser == "auto":
        return sniffing_format()
    return find_format(parser) if isinstance(parser, str) else parser


def parse_output(
    text: str,
    tool_parser: str | Format | None = None,
    reasoning_parser: str | Reasoning | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    *,
    repair: bool = False,
) -> Completion:
    """Read a whole answer.

    Args:
        text: What the model wrote, special tokens included.
        tool_parser: As for `OutputParser`.
        reasoning_parser: As for `OutputParser`.
        tools: As for `OutputParser`.
        repair: Repair arguments that mean one thing and are not JSON; `metadata["repaired_tool_calls"]` names the calls.

    Returns:
        The answer.

    Raises:
        ConfigurationError: There is no format, or no reasoning parser, of that name.
    """
    parser = OutputParser(tool_parser, reasoning_parser, tools)
    deltas = [*parser.push(text), *parser.finish()]
    return fold(repaired(deltas) if repair else deltas, tools=tools)
