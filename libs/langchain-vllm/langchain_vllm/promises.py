"""What a tool choice promises: `required` at least one call, a name a call of that tool.

Some servers and models do not keep it: the answer then is prose, and an agent would take it for the end.
An answer that was cut, or whose call is malformed, breaks no promise; it says itself what is wrong with it.
"""

from collections.abc import Callable
from typing import TypeAlias

from vllm_connect import ChatRequest, Completion, resolve_tool_choice

from langchain_vllm.errors import ConstraintError

__all__ = ["Check", "accept", "verify_tool_choice"]

Check: TypeAlias = Callable[[Completion], None]
"""Raises where a finished answer is not what was asked for."""

WHOLE = frozenset({"stop", "tool_calls"})


def accept(answer: Completion) -> None:
    """Accept every answer."""
    del answer


def verify_tool_choice(request: ChatRequest, answer: Completion) -> None:
    """Hold an answer against its request's tool choice.

    Args:
        request: What was asked.
        answer: What came.

    Raises:
        ConstraintError: The call that was asked for is not there; `partial` is the answer.
    """
    choice = resolve_tool_choice(request.tool_choice, request.tools)
    if answer.invalid_tool_calls or answer.finish_reason not in WHOLE:
        return
    called = {call.name for call in answer.tool_calls}
    if choice == "required" and not called:
        wanted = "a tool call"
    elif isinstance(choice, dict) and choice["function"]["name"] not in called:
        wanted = f"a call of {choice['function']['name']!r}"
    else:
        return
    raise ConstraintError(
        f"the server did not enforce tool_choice: {wanted} was asked for and the answer has none; "
        "look at `partial`, name the model's format in tool_parser, or set check_tool_choice=False",
        partial=answer,
    )
