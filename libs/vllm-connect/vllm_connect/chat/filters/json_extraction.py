"""The JSON in an answer's text, in place of the text; see `vllm_connect.response.json_extraction`."""

from vllm_connect.response.deltas import Delta, Finish, ReasoningDelta, TextDelta
from vllm_connect.response.json_extraction import extract_json

__all__ = ["JsonExtractionFilter"]


class JsonExtractionFilter:
    """Holds the text and the end of each choice back, and passes on the JSON in the text."""

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._ends: list[Delta] = []

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta; see `Filter.push`."""
        if isinstance(delta, TextDelta | ReasoningDelta) and delta.replaces:
            self._texts.pop(delta.choice, None)
        if isinstance(delta, TextDelta):
            self._texts.setdefault(delta.choice, []).append(delta.text)
        elif isinstance(delta, Finish):
            self._ends.append(delta)
        else:
            return [delta]
        return []

    def finish(self) -> list[Delta]:
        """Return the JSON of each choice, and the ends."""
        texts: list[Delta] = [TextDelta(extract_json("".join(pieces)), c) for c, pieces in self._texts.items()]
        ends, self._texts, self._ends = self._ends, {}, []
        return texts + ends
