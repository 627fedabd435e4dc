"""Deltas held back until it is known whether they are the answer."""

from vllm_connect.response.deltas import Delta

__all__ = ["HoldFilter"]


class HoldFilter:
    """Holds deltas of some kinds back.

    Args:
        kinds: The classes of the deltas; those of other classes are passed on.

    Attributes:
        kinds: The classes.
        held: What is held back.
    """

    def __init__(self, *kinds: type) -> None:
        self.kinds = kinds
        self.held: list[Delta] = []

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta; see `Filter.push`."""
        if not isinstance(delta, self.kinds):
            return [delta]
        self.held.append(delta)
        return []

    def finish(self) -> list[Delta]:
        """Return what was held back: it is the answer."""
        held, self.held = self.held, []
        return held
