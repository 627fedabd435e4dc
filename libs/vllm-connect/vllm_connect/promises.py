"""What a tool choice promises: `required` a call, a tool's name a call of that tool.

Some servers and models do not keep it, and the answer is prose, which an agent takes for the end. An answer that was
cut, or one whose call is broken, tells by itself what is wrong with it.
"""

from vllm_connect.completion import Completion
from vllm_connect.errors import ConstraintError
from vllm_connect.request import ChatRequest, resolve_tool_choice

__all__ = ["verify_tool_choice"]

WHOLE = frozenset({"stop", "tool_calls"})


def verify_tool_choice(request: ChatRequest, answer: Completion) -> None:
    """Hold an ended answer against its request's tool choice.

    Args:
        request: What was asked.
        answer: What came.

    Raises:
        ConstraintError: The call asked for is missing; `partial` is the answer.
    """
    choice = resolve_tool_choice(request.tool_choice, request.tools)
    if choice in (None, "auto", "none") or answer.invalid_tool_calls or answer.finish_reason not in WHOLE:
        return
    name = choice["function"]["name"] if isinstance(choice, dict) else None
    if not any(name in (None, call.name) for call in answer.tool_calls):
        wanted = f"a call of {name!r}" if name else "a tool call"
        raise ConstraintError(
            f"the server did not enforce tool_choice: {wanted} was asked for and the answer has none; "
            "look at `partial`, name the model's format in tool_parser, or set check_tool_choice=False",
            partial=answer,
        )
