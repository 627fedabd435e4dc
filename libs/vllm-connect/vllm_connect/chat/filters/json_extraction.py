"""The filter that takes the JSON out of an answer; see `vllm_connect.response.json_extraction`."""

from vllm_connect.response.deltas import Delta, Finish, TextDelta
from vllm_connect.response.json_extraction import extract_json

__all__ = ["JsonExtraction"]


class JsonExtraction:
    """Keeps an answer's text until its end, and gives the JSON in it."""

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._ends: list[Delta] = []

    def hold(self, deltas: list[Delta]) -> list[Delta]:
        """Keep text and ends; give the rest."""
        told: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                self._texts.setdefault(delta.choice, []).append(delta.text)
            elif isinstance(delta, Finish):
                self._ends.append(delta)
            else:
                told.append(delta)
        return told

    def release(self) -> list[Delta]:
        """Give the JSON of each choice, and the ends."""
        texts: list[Delta] = [TextDelta(extract_json("".join(pieces)), c) for c, pieces in self._texts.items()]
        ends, self._texts, self._ends = self._ends, {}, []
        return texts + ends
