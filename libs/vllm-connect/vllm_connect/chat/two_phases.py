"""Tools and a schema in one request, in two phases.

A schema beside tools suppresses the calls on most servers: the grammar lets the model write nothing but the schema's JSON.
So the request is sent without the schema first. Calls are the answer, and so is a text that is valid as it is; any other
text is requested again, with the schema and `tool_choice="none"`. The prompt is the same, so the server's prefix cache
hits. The text of the first phase is in the metadata, `{"unconstrained_draft": "The weather is fine."}`.
"""

from collections.abc import Sequence

from vllm_connect.chat.validation import validate_answer
from vllm_connect.errors import ConstraintError
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.response.completion import Completion

__all__ = ["first_phase", "is_final", "needs_two_phases", "second_phase"]

UNCONSTRAINED = frozenset({"text", None})


def needs_two_phases(request: ChatRequest) -> bool:
    """Check whether a request has both tools that may be called and a constraint on the answer's text."""
    constrained = request.structured_outputs is not None or (
        request.response_format is not None and request.response_format.get("type") not in UNCONSTRAINED
    )
    return (
        constrained
        and bool(request.tools)
        and request.tool_choice in (None, "auto")
        and request.tool_parser != "server"
    )


def first_phase(request: ChatRequest) -> ChatRequest:
    """Return the request without its constraint."""
    return request.model_copy(update={"response_format": None, "structured_outputs": None})


def second_phase(request: ChatRequest) -> ChatRequest:
    """Return the request without a choice of calling a tool."""
    return request.model_copy(update={"tool_choice": "none"})


def is_final(request: ChatRequest, answers: Sequence[Completion]) -> bool:
    """Check whether the answers of the first phase are those of the request.

    Args:
        request: The request, with its constraint.
        answers: What the first phase returned.
    """
    return all(_is_final(request, answer) for answer in answers)


def _is_final(request: ChatRequest, answer: Completion) -> bool:
    if answer.tool_calls or answer.invalid_tool_calls:
        return True
    structured = request.structured_outputs
    if structured is not None and (structured.grammar is not None or structured.structural_tag is not None):
        return False  # neither can be checked here
    try:
        validate_answer(request, answer)
    except ConstraintError:
        return False
    return True
