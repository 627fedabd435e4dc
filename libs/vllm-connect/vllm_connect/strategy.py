"""What to send for a request, and how to read the answer."""

from collections.abc import Callable
from typing import Any

from vllm_connect.request import ChatRequest, Version
from vllm_connect.stream import DeltaFilter

__all__ = ["Knowledge", "Plan", "plan_answer"]


class Knowledge:
    """What calls have taught about a server; shared by all clients of one model object."""

    def __init__(self) -> None:
        self._without_tool_parser: set[str | None] = set()

    def learn_no_tool_parser(self, model: str | None) -> None:
        """Remember that the server has no tool parser for a model."""
        self._without_tool_parser.add(model)


class Plan:
    """What to send and how to read the answer.

    Attributes:
        body: The JSON body.
        new_filter: Makes the filter of a choice, None where the server's deltas pass as they are.
        retries_without_parser: Whether there is another way if the server has no tool parser.
    """

    def __init__(
        self,
        body: dict[str, Any],
        new_filter: Callable[[int], DeltaFilter | None] | None = None,
        *,
        retries_without_parser: bool = False,
    ) -> None:
        self.body = body
        self.new_filter = new_filter
        self.retries_without_parser = retries_without_parser


def plan_answer(request: ChatRequest, knowledge: Knowledge, version: Version | None) -> Plan:
    """Plan one request."""
    del knowledge
    return Plan(request.body(version))
