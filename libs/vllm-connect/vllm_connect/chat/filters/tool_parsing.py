"""The parsing of tool calls and reasoning on the client, for one choice.

The text of a choice is run through an `OutputParser`; calls that the server has split off are passed on, and the metadata
says who parsed the calls: `{"tool_calls_via": "client:hermes"}`. Reasoning that the server has split off has a parser of its
own: a call that ends an answer of nothing but reasoning is a call.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from vllm_connect.parsing.output_parser import OutputParser
from vllm_connect.protocol.stream import Filter, run_filters
from vllm_connect.response.deltas import COMPLETE, Delta, Finish, Metadata, ReasoningDelta, TextDelta, ToolCallDelta
from vllm_connect.response.tool_arguments import TRUNCATED

__all__ = ["ToolParsingFilter"]

ADVICE: dict[str, dict[str, Any]] = {
    "stop": {
        "advice": "the whole answer is reasoning: the server's --reasoning-parser may not be the model's; "
        "reasoning_as_answer=True makes the reasoning the answer"
    },
    "length": {
        "thinking_exhausted": True,
        "advice": "the reasoning used up the tokens before the answer began: raise max_tokens, "
        "set thinking_token_budget, or turn thinking off with reasoning=False",
    },
}
"""What to say, by the finish reason, about an answer that is reasoning alone."""


class ToolParsingFilter:
    """Parses the text of one choice.

    Args:
        choice: The choice.
        new_parser: Returns the parser of the text.
        new_answer_parser: Returns the parser of the text after reasoning that the server has split off.
        new_draft_parser: Returns the parser of such reasoning; None if no call in it is executable.
        via: Who parsed a call that is found here: `client:hermes`, `recovered:hermes`, `forced`.
        declared_name: Returns the declared name that a damaged one means.
        promote_reasoning: Make the reasoning the answer where there is no other.
        hold_empty_end: Hold the end of an answer without a call and without text back in `empty_end`.
        then: Filters after this one.

    Attributes:
        empty_end: The end of an answer without a call and without text, held back.
    """

    def __init__(
        self,
        choice: int,
        new_parser: Callable[[], OutputParser],
        new_answer_parser: Callable[[], OutputParser],
        new_draft_parser: Callable[[], OutputParser] | None,
        via: str,
        *,
        declared_name: Callable[[str], str] = str,
        promote_reasoning: bool = False,
        hold_empty_end: bool = False,
        then: Sequence[Filter] = (),
    ) -> None:
        self._choice = choice
        self._new_parser = new_parser
        self._new_answer_parser = new_answer_parser
        self._new_draft_parser = new_draft_parser
        self._via = via
        self._declared_name = declared_name
        self._promote = promote_reasoning
        self._hold_empty_end = hold_empty_end
        self._then = then
        self._parser: OutputParser | None = None
        self._server_calls = 0
        self._drafts: OutputParser | None = None
        self._server_reasoned = False
        self._blank_lines: str | None = None
        self._reasoned = False
        self._reasoning: list[str] = []
        self._answered = False
        self.empty_end: list[Delta] = []

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta; see `Filter.push`."""
        kind = type(delta)
        if kind is TextDelta:
            deltas = self._noted(self._parse(delta.text))  # type: ignore[union-attr] # a TextDelta, by its type
        elif kind is Finish:
            deltas = self._end(delta)  # type: ignore[arg-type] # a Finish, by its type
        elif kind is ReasoningDelta:
            deltas = self._noted(self._server_reasoning(delta))  # type: ignore[arg-type] # a ReasoningDelta, by its type
        elif kind is ToolCallDelta:
            deltas = self._server_call(delta)  # type: ignore[arg-type] # a ToolCallDelta, by its type
        else:
            deltas = [delta]
        for following in self._then:
            deltas = [passed for each in deltas for passed in following.push(each)]
        return deltas

    @property
    def reasoned_in_text(self) -> bool:
        """Whether the text had reasoning that the server did not split off."""
        return self._reasoned and not self._server_reasoned

    @property
    def reasoned_before_text(self) -> bool:
        """Whether there was text after reasoning that the server has split off."""
        return self._server_reasoned and self._parser is not None

    @property
    def called_in_text(self) -> bool:
        """Whether the text had a call that the server did not parse."""
        return self._parser is not None and self._parser.calls > 0

    def finish(self) -> list[Delta]:
        """Return what was held back."""
        end, self.empty_end = self.empty_end, []
        return run_filters(self._then, [*self._rest(), *end])

    def _rest(self, *, truncated: bool = False) -> list[Delta]:
        return self._noted([delta for each in self._parsers() for delta in each.finish(truncated=truncated)])

    def _parsers(self) -> list[OutputParser]:
        return [each for each in (self._drafts, self._parser) if each is not None]

    def _parse(self, text: str) -> list[Delta]:
        if self._server_calls:
            return [TextDelta(text, self._choice)]
        if self._blank_lines is not None:
            return self._first_text(self._blank_lines + text)
        if self._parser is None:
            self._parser = self._new_answer_parser() if self._server_reasoned else self._new_parser()
        return self._parser.push(text)

    def _first_text(self, text: str) -> list[Delta]:
        """Parse the first text after the server's reasoning, without the blank lines between the two."""
        if not text.strip():
            self._blank_lines = text
            return []
        self._blank_lines = None
        ended = self._end_drafts()
        start = len(text) - len(text.lstrip())
        return [*ended, *self._parse(text[text.rfind("\n", 0, start) + 1 :])]

    def _server_reasoning(self, delta: ReasoningDelta) -> list[Delta]:
        """Read reasoning that the server has split off; calls in it are held back."""
        if not self._server_reasoned:
            self._server_reasoned = True
            self._blank_lines = ""
            if self._new_draft_parser is not None and self._parser is None:
                self._drafts = self._new_draft_parser()
        return [delta] if self._drafts is None else self._drafts.push(delta.text)

    def _end_drafts(self) -> list[Delta]:
        """Return the rest of the reasoning that the server has split off; calls in it were drafts."""
        drafts, self._drafts = self._drafts, None
        return drafts.end_reasoning() if drafts is not None else []

    def _noted(self, deltas: list[Delta]) -> list[Delta]:
        """Note what there has been of reasoning and answer."""
        for delta in deltas:
            if isinstance(delta, ReasoningDelta):
                self._reasoned = True
                if self._promote:
                    self._reasoning.append(delta.text)
            elif isinstance(delta, ToolCallDelta) or (isinstance(delta, TextDelta) and delta.text.strip()):
                self._answered = True
        return deltas

    def _server_call(self, delta: ToolCallDelta) -> list[Delta]:
        """Pass a call of the server's parser on; what looked like one in the text is text then."""
        held = self._noted(self._end_drafts())
        if not self._server_calls:
            held += self._rest()
        self._server_calls += delta.name is not None
        self._answered = True
        if delta.name is not None and (name := self._declared_name(delta.name)) != delta.name:
            delta = replace(delta, name=name)
        return [*held, delta]

    def _end(self, finish: Finish) -> list[Delta]:
        deltas = self._rest(truncated=finish.reason in TRUNCATED)
        if self._server_calls:
            return [*deltas, Metadata({"tool_calls_via": "server"}, self._choice), finish]
        if any(each.calls for each in self._parsers()):
            reason = "tool_calls" if finish.reason == "stop" else finish.reason
            via = Metadata({"tool_calls_via": self._via}, self._choice)
            return [*deltas, via, Finish(reason, finish.stop_reason, finish.choice)]
        if self._answered:
            return [*deltas, finish]
        if self._promote and finish.reason == "stop" and self._reasoning:
            answer = TextDelta("".join(self._reasoning), self._choice)
            return [*deltas, answer, Metadata({"reasoning_promoted": True}, self._choice), finish]
        advice = ADVICE.get(finish.reason) if self._reasoned else None
        end: list[Delta] = [Metadata(advice, self._choice), finish] if advice else [finish]
        if self._hold_empty_end and finish.reason in COMPLETE:
            self.empty_end = end
            return deltas
        return [*deltas, *end]
