"""All faults, by number."""

from tests.faults.fault import Fault
from tests.faults.scenarios import connecting, events, http_answers, tool_calls

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = (*connecting.FAULTS, *http_answers.FAULTS, *events.FAULTS, *tool_calls.FAULTS)
