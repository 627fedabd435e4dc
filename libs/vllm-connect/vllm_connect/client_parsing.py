"""Parsing on the client, between the server's deltas and the caller.

The text of a choice goes through an `OutputParser`; reasoning and calls that the server has split off pass, and the end
says how the calls came: `{"tool_calls_via": "client:hermes"}`.
"""

from collections.abc import Callable

from vllm_connect.deltas import Delta, Finish, Metadata, ReasoningDelta, TextDelta, ToolCallDelta
from vllm_connect.parsing.output import OutputParser

__all__ = ["ParsingFilter"]

WHOLE = frozenset({"stop", "tool_calls"})


class ParsingFilter:
    """The filter of one choice.

    Args:
        choice: The choice.
        new_parser: Makes the parser; told whether reasoning is still to be looked for in the text, which it is not once
            the server has split it off.
        via: How a call that is found here came: `client:hermes`, `recovered:hermes`, `forced`.
        promote_reasoning: Take the reasoning for the answer where there is no other.
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
    ) -> None:
        self._choice = choice
        self._new_parser = new_parser
        self._via = via
        self._promote = promote_reasoning
        self._hold_silent = hold_silent
        self._parser: OutputParser | None = None
        self._server_calls = 0
        self._reasoned = False
        self._reasoning: list[str] = []
        self._answered = False
        self.silent: Finish | None = None

    def push(self, delta: Delta) -> list[Delta]:
        """Take one delta of the choice and give what can be said of it now."""
        kind = type(delta)
        if kind is TextDelta:
            return self._told(self._text(delta.text))  # type: ignore[union-attr] # a TextDelta, by its type
        if kind is Finish:
            return self._finished(delta)  # type: ignore[arg-type] # a Finish, by its type
        if kind is ReasoningDelta:
            self._reasoned = True
            return self._told([delta])
        if kind is ToolCallDelta:
            return self._server_call(delta)  # type: ignore[arg-type] # a ToolCallDelta, by its type
        return [delta]

    def close(self) -> list[Delta]:
        """Give what was held back."""
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
                if self._promote:
                    self._reasoning.append(delta.text)
            elif isinstance(delta, ToolCallDelta) or (isinstance(delta, TextDelta) and delta.text.strip()):
                self._answered = True
        return deltas

    def _server_call(self, delta: ToolCallDelta) -> list[Delta]:
        """Pass a call of the server's; what looked like one in the text is text then."""
        held = self.close() if not self._server_calls else []
        self._server_calls += delta.name is not None
        self._answered = True
        return [*held, delta]

    def _finished(self, finish: Finish) -> list[Delta]:
        deltas = self.close()
        found = self._parser.calls if self._parser is not None else 0
        if self._server_calls:
            deltas.append(Metadata({"tool_calls_via": "server"}, self._choice))
        elif found:
            deltas.append(Metadata({"tool_calls_via": self._via}, self._choice))
            if finish.reason == "stop":
                finish = Finish("tool_calls", finish.stop_reason, finish.choice)
        elif self._promote and finish.reason == "stop" and not self._answered and self._reasoning:
            deltas.append(TextDelta("".join(self._reasoning), self._choice))
            deltas.append(Metadata({"reasoning_promoted": True}, self._choice))
        elif self._hold_silent and not self._answered and finish.reason in WHOLE:
            self.silent = finish
            return deltas
        deltas.append(finish)
        return deltas
