"""Parsing on the client, between the server's deltas and the caller.

The text of a choice goes through an `OutputParser`; reasoning and calls that the server has split off pass, and the end
says how the calls came: `{"tool_calls_via": "client:hermes"}`.
"""

from collections.abc import Callable
from typing import Any

from vllm_connect.chat.filters.first_tool_call import FirstCall
from vllm_connect.parsing.output_parser import OutputParser
from vllm_connect.parsing.repair import RepairFilter
from vllm_connect.protocol.stream import DeltaFilter
from vllm_connect.response.deltas import WHOLE, Delta, Finish, Metadata, ReasoningDelta, TextDelta, ToolCallDelta

__all__ = ["ParsingFilter"]

ADVICE: dict[str, dict[str, Any]] = {
    "stop": {
        "advice": "all of the answer is reasoning: the server may have filed it there by mistake; "
        "reasoning_as_answer=True takes it for the answer, and --reasoning-parser says how the server tells them apart"
    },
    "length": {
        "thinking_exhausted": True,
        "advice": "thinking used up the tokens before the answer began: raise max_tokens, "
        "set thinking_token_budget, or switch thinking off with reasoning=False",
    },
}
"""What to say, by the finish reason, of an answer that is nothing but reasoning."""


class ParsingFilter:
    """The filter of one choice.

    Args:
        choice: The choice.
        new_parser: Makes the parser; told whether reasoning is still to be looked for in the text, which it is not once
            the server has split it off.
        via: How a call that is found here came: `client:hermes`, `recovered:hermes`, `forced`.
        promote_reasoning: Take the reasoning for the answer where there is no other.
        repair: Repair arguments that mean one thing and are not JSON.
        single: Keep the first call only, as a server does for `parallel_tool_calls=False`; the others are told of in the
            metadata, `{"dropped_tool_calls": [{"name": "f", "arguments": "{}"}]}`.
        hold_silent: Hold the end of an answer without a call and without text back in `silent`.

    Attributes:
        silent: The end of an answer without a call and without text, held back.
    """

    def __init__(
        self,
        choice: int,
        new_parser: Callable[[bool], OutputParser],
        via: str,
        *,
        promote_reasoning: bool = False,
        hold_silent: bool = False,
        repair: bool = False,
        single: bool = False,
    ) -> None:
        self._choice = choice
        self._new_parser = new_parser
        self._via = via
        self._promote = promote_reasoning
        self._hold_silent = hold_silent
        self._after: list[DeltaFilter] = []
        if single:
            self._after.append(FirstCall(choice))
        if repair:
            self._after.append(RepairFilter(choice))
        self._parser: OutputParser | None = None
        self._server_calls = 0
        self._reasoned = False
        self._thought = False
        self._reasoning: list[str] = []
        self._answered = False
        self.silent: list[Delta] = []

    def push(self, delta: Delta) -> list[Delta]:
        """Take one delta of the choice and give what can be said of it now."""
        kind = type(delta)
        if kind is TextDelta:
            deltas = self._told(self._text(delta.text))  # type: ignore[union-attr] # a TextDelta, by its type
        elif kind is Finish:
            deltas = self._finished(delta)  # type: ignore[arg-type] # a Finish, by its type
        elif kind is ReasoningDelta:
            self._reasoned = True
            deltas = self._told([delta])
        elif kind is ToolCallDelta:
            deltas = self._server_call(delta)  # type: ignore[arg-type] # a ToolCallDelta, by its type
        else:
            deltas = [delta]
        for after in self._after:
            deltas = [told for said in deltas for told in after.push(said)]
        return deltas

    def close(self) -> list[Delta]:
        """Give what was held back."""
        deltas = self._close()
        for after in self._after:
            deltas = [told for said in deltas for told in after.push(said)] + after.close()
        return deltas

    def _close(self) -> list[Delta]:
        return self._told(self._parser.finish()) if self._parser is not None else []

    def _text(self, text: str) -> list[Delta]:
        if self._server_calls:
            return [TextDelta(text, self._choice)]
        if self._parser is None:
            self._parser = self._new_parser(not self._reasoned)
        return self._parser.push(text)

    def _told(self, deltas: list[Delta]) -> list[Delta]:
        for delta in deltas:
            if isinstance(delta, ReasoningDelta):
                self._thought = True
                if self._promote:
                    self._reasoning.append(delta.text)
            elif isinstance(delta, ToolCallDelta) or (isinstance(delta, TextDelta) and delta.text.strip()):
                self._answered = True
        return deltas

    def _server_call(self, delta: ToolCallDelta) -> list[Delta]:
        """Pass a call of the server's; what looked like one in the text is text then."""
        held = self._close() if not self._server_calls else []
        self._server_calls += delta.name is not None
        self._answered = True
        return [*held, delta]

    def _finished(self, finish: Finish) -> list[Delta]:
        deltas = self._close()
        if self._server_calls:
            return [*deltas, Metadata({"tool_calls_via": "server"}, self._choice), finish]
        if self._parser is not None and self._parser.calls:
            reason = "tool_calls" if finish.reason == "stop" else finish.reason
            via = Metadata({"tool_calls_via": self._via}, self._choice)
            return [*deltas, via, Finish(reason, finish.stop_reason, finish.choice)]
        if self._answered:
            return [*deltas, finish]
        if self._promote and finish.reason == "stop" and self._reasoning:
            answer = TextDelta("".join(self._reasoning), self._choice)
            return [*deltas, answer, Metadata({"reasoning_promoted": True}, self._choice), finish]
        advice = ADVICE.get(finish.reason) if self._thought else None
        end: list[Delta] = [Metadata(advice, self._choice), finish] if advice else [finish]
        if self._hold_silent and finish.reason in WHOLE:
            self.silent = end
            return deltas
        return [*deltas, *end]
