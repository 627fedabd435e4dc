"""Calls without markers in formats that have them, and where bare calls may stand.

`{"name": "f", "arguments": {"x": 1}}` as the whole answer, in a code fence or in `<tools>` too, or `[f(x=1)]`, is a call of a
declared tool; anywhere else it is text. In formats without markers a call begins a line or follows a sentence; within a sentence, or in a
code fence, it is quoted.
"""

from vllm_connect.parsing.grammars.json_calls import json_bare
from vllm_connect.parsing.grammars.python_calls import python_list
from vllm_connect.parsing.scanner import Reading, Scanner, within_sentence
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["STARTS", "Lines", "bare_answer"]

FENCE = "```"
STARTS = ("{", "[", FENCE, "<tools>")
"""What an answer that is a bare call may begin with."""

ENDS = (FENCE, "</tools>")
LANGUAGES = ("json", "tool_call", "tool_code")

_one, _several, _python = json_bare(array=False), json_bare(array=True), python_list()


def bare_answer(scanner: Scanner, marker: str, tools: Tools, ignored: tuple[str, ...]) -> Reading[bool]:
    """Read a call without markers, after the start of the answer; return whether it was all of the answer.

    Args:
        scanner: The scanner.
        marker: One of `STARTS`.
        tools: The request's tools.
        ignored: Markers without a meaning.
    """
    if marker in (FENCE, "<tools>"):
        yield from scanner.accept(*LANGUAGES)
        yield from scanner.skip_whitespace()
        marker = yield from scanner.accept("{", "[")
        if not marker:
            return False
    if marker == "[":
        space = yield from scanner.skip_whitespace()
        is_json = (yield from scanner.peek()) == "{"
        scanner.unread(space)
        if not is_json:
            if not (yield from _python(scanner, marker, tools)):
                return False
            marker = ""
    while marker:
        if not (yield from (_several if marker == "[" else _one)(scanner, marker, tools)):
            return False
        yield from scanner.skip_whitespace()
        marker = yield from scanner.accept("{")
    yield from scanner.accept(*ENDS)
    yield from scanner.skip_whitespace()
    while (yield from scanner.accept(*ignored)):
        yield from scanner.skip_whitespace()
    return not (yield from scanner.peek())


class Lines:
    """A reader of text that notes whether a line or a sentence begins, and whether it is in a code fence."""

    def __init__(self) -> None:
        self._line = self._last = ""
        self._in_fence = False

    def push(self, piece: str) -> None:
        """Read a piece of text."""
        first, *others = piece.split("\n")
        self._line = (self._line + first).lstrip()[: len(FENCE)]
        for other in others:
            self._in_fence ^= self._line == FENCE
            self._line = other.lstrip()[: len(FENCE)]
        self._last = piece.rstrip()[-1:] or self._last

    @property
    def may_call(self) -> bool:
        """Whether a bare call may begin here."""
        return not self._in_fence and not (self._line and within_sentence(self._last))
