"""A parser of a model's text as it arrives: reasoning, answer and tool calls.

    parser = OutputParser(tool_parser="hermes", reasoning_parser="qwen3", tools=tools)
    deltas = parser.push("<think>Hm.</think><tool_call>...")
    deltas += parser.finish()

`parse_output(text, tool_parser="hermes")` does the same with a whole text and folds the deltas. Neither raises on anything that
a model may write: text without markup passes unchanged, and a truncated or malformed call folds to an `InvalidToolCall`.

A call inside of reasoning is a draft. Where the prompt may end with the start marker of the reasoning, an end marker alone
shows that all before it was reasoning, so text is passed on as it comes, calls are held back until that is settled, and a
delta that `replaces` the others corrects what was passed on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vllm_connect.parsing.answer_markers import markers_of
from vllm_connect.parsing.auto_format import auto_format
from vllm_connect.parsing.bare_calls import STARTS, Lines, bare_answer
from vllm_connect.parsing.format import Format, find_format
from vllm_connect.parsing.held_calls import HeldCalls, read_calls
from vllm_connect.parsing.ids import id_source
from vllm_connect.parsing.markers import TURN_ENDS, Markers, compile_markers
from vllm_connect.parsing.reasoning import Reasoning, ReasoningText, find_reasoning
from vllm_connect.parsing.repair import repair_deltas
from vllm_connect.parsing.scanner import WHITESPACE, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.response.completion import Completion, fold
from vllm_connect.response.deltas import Delta, TextDelta

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
        starts_in_reasoning: Whether the prompt ends inside the reasoning; None if that is not known, and the reasoning
            parser supposes what is usual.
        calls_in_reasoning: Which calls in a reasoning without an end marker are calls, if they are complete, declared and
            valid: those that end it (None), all (True), or none (False). A call in a reasoning that ends is always a draft.

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
        starts_in_reasoning: bool | None = None,
        calls_in_reasoning: bool | None = None,
    ) -> None:
        self.format = _format(tool_parser)
        self._choice = choice
        self._tools = Tools(tools)
        self._hold = recover or (self.format is not None and not self.format.unambiguous)
        self._starts_in_reasoning = starts_in_reasoning
        self._calls_in_reasoning = calls_in_reasoning
        source = new_id or id_source(self.format.call_id if self.format else None)
        ignored_between = self.format.ignored_between if self.format else WHITESPACE
        self._scanner = Scanner(choice, source, ignored_between, self._tools.declared_name)
        self._undecided, self._drafts = (HeldCalls(self._scanner, self._tools) for _ in range(2))
        self._markers = markers_of(self.format, find_reasoning(reasoning_parser))
        self._boundaries = compile_markers(self._markers.undecided)
        self._searched: tuple[Markers, Callable[[str], None]] | None = None
        self._waiting: tuple[Markers, Callable[[str], None]] | None = None
        self._plain: Callable[[str], object] | None = None
        self._passed: list[str] = []
        self._finished = self._truncated = False
        self._start = True
        self._reading = self._read()

    def push(self, text: str) -> list[Delta]:
        """Parse a piece of the answer.

        Args:
            text: The next piece of the answer.

        Returns:
            The deltas that are complete; text that may be the start of a marker waits for the next piece.
        """
        if text:
            if self._plain is not None and self._plain(text) is None:  # most text, so it takes the shortest way
                self._passed.append(text)
                return [TextDelta(text, self._choice)]
            self._catch_up()
            waiting, scanner = self._waiting, self._scanner
            if waiting is not None and waiting[0].possible(text) is None:
                scanner.pass_through(text, waiting[1])
            else:
                scanner.push(text)
                next(self._reading, None)
                searched = self._searched
                self._waiting = searched if searched is not None and not scanner.available else None
            waiting = self._waiting
            passes = waiting is not None and waiting[1] == scanner.emit_text and scanner.passes_text
            self._plain = waiting[0].possible if waiting is not None and passes else None
        return self._take_deltas()

    def _catch_up(self) -> None:
        """Record text that was passed on without the scanner."""
        if self._passed:
            self._scanner.record_passed(self._passed)
            self._passed = []

    def finish(self, *, truncated: bool = False) -> list[Delta]:
        """Parse the end of the answer.

        Args:
            truncated: Whether the answer was cut, by its token limit or an error; calls that may be drafts of a reasoning
                whose end is missing are not executed then.

        Returns:
            The remaining deltas; a block that began and named no call is text.
        """
        if not self._finished:
            self._finished, self._truncated = True, truncated
            self._catch_up()
            self._scanner.finish()
            next(self._reading, None)
        return self._take_deltas()

    def end_reasoning(self) -> list[Delta]:
        """Parse the end of reasoning that the server split off from the answer: calls in it were drafts.

        Returns:
            The remaining deltas.
        """
        return [*self.push(self._markers.ends[0]), *self.finish()]

    @property
    def calls(self) -> int:
        """The number of calls that were started, without those that are held back."""
        return self._scanner.calls - self.held_calls

    @property
    def held_calls(self) -> int:
        """The number of calls that are held back until it is known whether they are drafts in a reasoning."""
        return self._undecided.count + self._drafts.count

    @property
    def steps(self) -> int:
        """The number of times the text was examined."""
        return self._scanner.steps + len(self._passed)

    def _take_deltas(self) -> list[Delta]:
        deltas = self._scanner.deltas
        self._scanner.deltas = []
        return deltas

    # The answer

    def _read(self) -> Reading[None]:
        starts, markers = self._starts_in_reasoning, self._markers
        if starts is None:
            starts = markers.starts_in_reasoning
            if not starts and markers.proofs:
                yield from self._read_undecided()
        if starts and markers.ends:
            yield from self._read_first_reasoning()
        yield from self._read_answer()

    def _read_undecided(self) -> Reading[None]:
        """Read text that may be reasoning, up to the end marker that proves it, or all of it."""
        scanner = self._scanner
        scanner.record = []
        if not (yield from self._read_answer(undecided=True)):
            scanner.record = None
            self._undecided.release(complete=not self._truncated)

    def _read_answer(self, *, undecided: bool = False) -> Reading[bool]:
        """Read the answer.

        Args:
            undecided: Whether it is not known if the text is reasoning, which an end marker proves.

        Returns:
            Whether it was decided; if not, the text ended.
        """
        scanner, markers = self._scanner, self._markers
        lines = Lines() if self.format is not None and not self.format.unambiguous else None
        scanner.observe = lines.push if lines is not None else None
        if self._start and (yield from self._read_start(undecided=undecided)):
            return True
        searched = markers.undecided if undecided else markers.all
        while marker := (yield from self._forward_until(searched, scanner.emit_text)):
            if undecided and marker in markers.proofs:
                yield from self._settle_as_reasoning(marker)
                return True
            if marker in markers.reasonings:
                yield from self._read_reasoning((markers.reasonings[marker].end_marker,))
            elif marker in markers.calls:
                if lines is not None and not lines.may_call:
                    scanner.emit_text(marker)
                else:
                    yield from self._read_calls(marker, self._read_block, undecided=undecided)
            elif marker not in markers.ignored:
                yield from self._read_turn_end(marker, scanner.emit_text)
        return False

    def _read_start(self, *, undecided: bool) -> Reading[bool]:
        """Read what may only begin an answer; return whether it was a reasoning that decides what the text is."""
        scanner, markers = self._scanner, self._markers
        space = yield from scanner.skip_whitespace()
        if undecided and (started := (yield from scanner.accept(*markers.reasonings))):
            scanner.record = None
            yield from self._read_reasoning((markers.reasonings[started].end_marker,))
            return True
        self._start = False
        if bare := (yield from self._accept_bare()):
            if space:
                scanner.emit_text(space)
            yield from self._read_calls(bare, self._read_bare, undecided=undecided)
            return False
        scanner.unread(space)
        if self.format is not None and self.format.prefilled and (yield from scanner.peek()):
            yield from self._read_calls("", self._read_block, undecided=undecided)
        return False

    def _read_calls(self, marker: str, read_block: Callable[[str], Reading[None]], *, undecided: bool) -> Reading[None]:
        """Read a block of calls, which are held back while it is not known whether they are drafts."""
        if undecided:
            yield from self._undecided.read(marker, read_block, self._markers.proofs, text=True)
        else:
            yield from read_block(marker)

    def _read_turn_end(self, marker: str, sink: Callable[[str], None]) -> Reading[None]:
        """Read the end of a turn, which is markup at the end of the text, and text anywhere else."""
        scanner = self._scanner
        pieces = [marker]
        while pieces[-1]:
            pieces += [(yield from scanner.skip_whitespace()), (yield from scanner.accept(*TURN_ENDS))]
        if (yield from scanner.peek()):
            sink("".join(pieces))
        else:
            scanner.unrecord("".join(pieces))

    def _settle_as_reasoning(self, end_marker: str) -> Reading[None]:
        """Emit all before an end marker as reasoning; the calls in it were drafts."""
        scanner = self._scanner
        self._undecided.drop()
        text = "".join(scanner.record or ())[: -len(end_marker)]
        scanner.record = None
        scanner.replace_reasoning(text.strip(WHITESPACE))
        yield from self._skip_blank_lines()

    def _skip_blank_lines(self) -> Reading[None]:
        """Drop the blank lines after reasoning."""
        space = yield from self._scanner.skip_whitespace()
        indentation = space[space.rfind("\n") + 1 :]
        if indentation and (yield from self._scanner.peek()):
            self._scanner.emit_text(indentation)

    # Reasoning

    def _read_first_reasoning(self) -> Reading[None]:
        """Read reasoning whose start marker is in the prompt, or in the text after whitespace."""
        scanner, markers = self._scanner, self._markers
        scanner.record = []
        yield from scanner.skip_whitespace()
        started = yield from scanner.accept(*markers.reasonings)
        ends = (markers.reasonings[started].end_marker,) if started else markers.ends
        yield from self._read_reasoning(ends, known=bool(started or self._starts_in_reasoning))

    def _read_reasoning(self, ends: tuple[str, ...], *, known: bool = True) -> Reading[None]:
        """Read reasoning up to its end marker, or to the end of the text.

        Args:
            ends: Its end markers.
            known: Whether it is known to be reasoning; if not, and neither an end marker nor a call ends it, it is the answer.
        """
        scanner = self._scanner
        is_recorded = scanner.record is not None
        scanner.record = [] if scanner.record is None else scanner.record
        thoughts = ReasoningText(scanner.emit_reasoning)
        wanted = not known or self._calls_in_reasoning is not False
        drafts = (*self._markers.calls, *self._markers.ignored) if wanted and self._markers.calls else ()
        run = ""
        searched = tuple(dict.fromkeys((*ends, *drafts, *TURN_ENDS)))
        while marker := (yield from self._forward_until(searched, thoughts.push)):
            if marker in ends:
                break
            if marker in drafts:
                run = yield from self._read_drafts(marker, ends, thoughts)
            else:
                yield from self._read_turn_end(marker, thoughts.push)
        self._end_reasoning(marker, run, thoughts, known=known)
        scanner.record = scanner.record if is_recorded else None
        if marker:
            yield from self._skip_blank_lines()

    def _read_drafts(self, marker: str, ends: tuple[str, ...], thoughts: ReasoningText) -> Reading[str]:
        """Read adjacent calls; return their text if they end the answer, and forward it as reasoning if not."""
        scanner, markers, drafts = self._scanner, self._markers, self._drafts
        start, before = scanner.position(1), drafts.count
        found = False
        while marker:
            if marker in markers.calls:
                found = yield from drafts.read(marker, self._read_block, ends, text=False)
                if not found:
                    break
            yield from scanner.skip_whitespace()
            marker = yield from scanner.accept(*markers.calls, *dict.fromkeys((*markers.ignored, *TURN_ENDS)))
        text = scanner.text_since(start)
        if found and not (yield from scanner.peek()):
            return text
        if not (self._calls_in_reasoning and drafts.are_valid(before)):
            drafts.drop(before)
        thoughts.push(text)
        return ""

    def _end_reasoning(self, end_marker: str, run: str, thoughts: ReasoningText, *, known: bool) -> None:
        """Decide what the calls of a reasoning are, and a reasoning that does not end.

        Args:
            end_marker: What ended it; empty at the end of the text.
            run: The text of the calls at its end.
            thoughts: The reasoning.
            known: Whether it is known to be reasoning.
        """
        scanner, drafts = self._scanner, self._drafts
        wanted = self._calls_in_reasoning is not False and not self._truncated
        if not end_marker and wanted and drafts.count and drafts.are_valid():
            scanner.emit_metadata({"tool_calls_in_reasoning": drafts.release()})
        elif end_marker or known or self._truncated:
            drafts.drop()
            thoughts.push(run)
        else:
            text = scanner.text_since(0)
            if answer := text[: len(text) - len(run)]:
                scanner.replace_text(answer)
            drafts.release()

    # Blocks

    def _forward_until(self, markers: tuple[str, ...], sink: Callable[[str], None]) -> Reading[str]:
        """Forward text up to a marker; meanwhile `push` passes on by itself what has none."""
        if not markers:
            yield from self._scanner.forward_rest(sink)
            return ""
        self._searched = (compile_markers(markers), sink)
        marker = yield from self._scanner.forward_until(markers, sink)
        self._searched = None
        return marker

    def _accept_bare(self) -> Reading[str]:
        """Accept what begins an answer that is a call without markers, where the format has some."""
        if self.format is None or not self.format.unambiguous or not self._tools.known:
            return ""
        if marker := (yield from self._scanner.accept(*self._markers.undecided)):
            self._scanner.unread(marker)
            return ""
        return (yield from self._scanner.accept(*STARTS))

    def _read_bare(self, marker: str) -> Reading[None]:
        """Read an answer that is a call without markers; anything else is text."""
        scanner = self._scanner
        scanner.begin(marker, hold=True)
        complete = yield from bare_answer(scanner, marker, self._tools, (*self._markers.ignored, *TURN_ENDS))
        calls = read_calls(scanner.held_calls())
        is_definition = any(self._tools.is_definition(name, arguments) for _, name, arguments, _ in calls)
        if complete and calls and not is_definition and self._held_calls_are_valid():
            scanner.commit()
        else:
            scanner.rollback()

    def _read_block(self, marker: str) -> Reading[None]:
        format_, scanner = self.format, self._scanner
        if format_ is None:
            return
        calls_before = scanner.calls
        scanner.begin(marker, hold=self._hold)
        complete = yield from format_.block(scanner, marker or format_.prefilled, self._tools)
        if complete and scanner.calls > calls_before and self._held_calls_are_valid():
            scanner.commit()
        else:
            scanner.rollback(marker, self._boundaries if format_.unambiguous else None)

    def _held_calls_are_valid(self) -> bool:
        """Check whether the calls of a block that is held back are declared and valid."""
        return all(
            ended and self._tools.validation_error(name, arguments) is None
            for _, name, arguments, ended in read_calls(self._scanner.held_calls())
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
    starts_in_reasoning: bool | None = None,
    calls_in_reasoning: bool | None = None,
) -> Completion:
    """Parse a whole answer.

    Args:
        text: The model's text, special tokens included.
        tool_parser: As for `OutputParser`.
        reasoning_parser: As for `OutputParser`.
        tools: As for `OutputParser`.
        repair: Repair arguments that are not JSON and have one possible meaning; `metadata["repaired_tool_calls"]` lists
            the ids of these calls.
        starts_in_reasoning: As for `OutputParser`.
        calls_in_reasoning: As for `OutputParser`.

    Returns:
        The answer.

    Raises:
        ConfigurationError: There is no format, or no reasoning parser, of that name.
    """
    parser = OutputParser(
        tool_parser,
        reasoning_parser,
        tools,
        starts_in_reasoning=starts_in_reasoning,
        calls_in_reasoning=calls_in_reasoning,
    )
    deltas = [*parser.push(text), *parser.finish()]
    return fold(repair_deltas(deltas) if repair else deltas, tools=tools)
