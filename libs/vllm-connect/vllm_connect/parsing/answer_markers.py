"""The markers to search for in an answer: those of its reasoning, its calls, and those that are ignored."""

from functools import lru_cache
from typing import NamedTuple

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.markers import TURN_ENDS
from vllm_connect.parsing.reasoning import Reasoning

__all__ = ["AnswerMarkers", "markers_of"]


class AnswerMarkers(NamedTuple):
    """The markers of an answer.

    Attributes:
        starts_in_reasoning: Whether the answer is supposed to begin inside of reasoning.
        reasonings: The reasoning by its start marker.
        calls: Those that begin a block of calls.
        ignored: Those without a meaning.
        ends: Those that end a reasoning.
        proofs: Those that prove by themselves that what precedes them is reasoning.
        all: Those to search for outside of reasoning.
        undecided: Those to search for while it is not known whether the text is reasoning.
    """

    starts_in_reasoning: bool
    reasonings: dict[str, Reasoning]
    calls: tuple[str, ...]
    ignored: tuple[str, ...]
    ends: tuple[str, ...]
    proofs: tuple[str, ...]
    all: tuple[str, ...]
    undecided: tuple[str, ...]


@lru_cache(maxsize=256)
def markers_of(format_: Format | None, reasonings: tuple[Reasoning, ...]) -> AnswerMarkers:
    """Collect the markers of a format and of reasonings, once."""
    if format_ is not None:  # a format that reads the reasoning itself
        own = () if format_.marks_reasoning else reasonings
        reasonings = tuple(
            one for one in own if not (one.start_marker and one.start_marker.startswith(format_.start_markers))
        )
    started = {marker: reasoning for reasoning in reasonings for marker in reasoning.start_markers}
    calls = format_.start_markers if format_ else ()
    answers = tuple(marker for reasoning in reasonings for marker in reasoning.answer_markers)
    ignored = (*(format_.ignored_markers if format_ else ()), *answers)
    proofs = tuple(reasoning.end_marker for reasoning in reasonings if reasoning.is_end_unambiguous)
    everything = tuple(dict.fromkeys((*calls, *ignored, *started, *TURN_ENDS)))
    return AnswerMarkers(
        starts_in_reasoning=any(reasoning.starts_in_reasoning for reasoning in reasonings),
        reasonings=started,
        calls=calls,
        ignored=ignored,
        ends=tuple(dict.fromkeys(reasoning.end_marker for reasoning in reasonings)),
        proofs=tuple(dict.fromkeys(proofs)),
        all=everything,
        undecided=tuple(dict.fromkeys((*everything, *proofs))),
    )
