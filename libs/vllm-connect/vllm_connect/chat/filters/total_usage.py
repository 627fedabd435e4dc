"""The usage of a call that took more than one request: the sum over all of them."""

from vllm_connect.response.deltas import Delta, Usage, UsageReport

__all__ = ["TotalUsageFilter"]


class TotalUsageFilter:
    """Adds what was spent before to each usage report.

    Args:
        spent: The usage of the requests before this one.
    """

    def __init__(self, spent: Usage) -> None:
        self._spent = spent

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta; see `Filter.push`."""
        if isinstance(delta, UsageReport):
            return [UsageReport(self._spent + delta.usage, delta.choice)]
        return [delta]

    def finish(self) -> list[Delta]:
        """Return nothing: nothing is held back."""
        return []
