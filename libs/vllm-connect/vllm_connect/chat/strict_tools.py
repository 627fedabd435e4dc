"""Forced calls whose arguments the server validates.

A server whose parser writes calls in the model's own format forces the call, but not its arguments, unless the tool says
`"strict": true`: `tool_choice="required"` gave the arguments `true` on vLLM 0.32 with the hermes parser. So once such a call
was seen, the tools of a forced call are sent as strict. A tool that sets `strict` itself is left alone.
"""

from collections.abc import Sequence
from typing import Any

from vllm_connect.chat.validation import validate_answer
from vllm_connect.errors import ConstraintError
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.tool_choice import is_forced
from vllm_connect.response.completion import Completion
from vllm_connect.schema.rewrite import sendable_schema

__all__ = ["has_loose_tools", "strict_tools", "strictness_would_help"]


def strict_tools(tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return tools that are strict where they did not say.

    Args:
        tools: Tools in OpenAI's shape; they are not changed.
    """
    return [_strict(tool) for tool in tools]


def _strict(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    if "strict" in function:
        return tool
    parameters = {"parameters": sendable_schema(function["parameters"])} if function.get("parameters") else {}
    return {**tool, "function": {**function, **parameters, "strict": True}}


def has_loose_tools(request: ChatRequest) -> bool:
    """Check whether a request forces a call and has a tool that does not say whether it is strict."""
    return is_forced(request.tool_choice) and any("strict" not in tool["function"] for tool in request.tools or ())


def strictness_would_help(request: ChatRequest, answers: Sequence[Completion]) -> bool:
    """Check whether answers violate what `strict` would enforce: a forced call, whole and with valid arguments.

    It is checked whether or not the caller wants violations to be errors: frameworks that validate the arguments themselves
    get a second try, too. A truncated answer would be truncated again.

    Args:
        request: The request, which `has_loose_tools`.
        answers: Its answers.
    """
    validated = request.model_copy(update={"check_constraints": True, "check_arguments": True})
    return any(_violates(validated, answer) for answer in answers)


def _violates(request: ChatRequest, answer: Completion) -> bool:
    if answer.metadata.get("tool_calls_via", "server") != "server":
        return False  # parsed or forced by the client
    try:
        validate_answer(request, answer)
    except ConstraintError as error:
        return error.code != "truncated"
    return False
