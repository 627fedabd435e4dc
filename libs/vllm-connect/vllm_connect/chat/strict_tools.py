"""Forced calls whose arguments the server holds to their schema.

A server whose parser writes calls in the model's own format forces the call, but not its arguments, unless the tool says
`"strict": true`: `tool_choice="required"` gave the arguments `true` on vLLM 0.32 with the hermes parser. So once such a call
was seen, the tools of a forced call are strict. What a tool says itself of strictness stays.
"""

from collections.abc import Sequence
from typing import Any

from vllm_connect.chat.validation import verify_answer
from vllm_connect.errors import ConstraintError
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.tool_choice import is_forced, resolve_tool_choice
from vllm_connect.response.completion import Completion
from vllm_connect.schema.rewrite import sendable_schema

__all__ = ["may_be_loose", "strict_tools", "would_be_held"]


def strict_tools(tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make tools strict that say nothing of it.

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


def may_be_loose(request: ChatRequest) -> bool:
    """Tell whether a request forces a call of a tool that says nothing of strictness, and wants it checked."""
    loose = any("strict" not in tool["function"] for tool in request.tools or ())
    return loose and request.check_constraints and is_forced(resolve_tool_choice(request.tool_choice, request.tools))


def would_be_held(request: ChatRequest, answers: Sequence[Completion]) -> bool:
    """Tell whether an answer broke what `strict` would have held: the arguments of a forced call that was not cut.

    Args:
        request: What was asked; it `may_be_loose`.
        answers: What came.
    """
    return any(_misfits(request, answer) for answer in answers)


def _misfits(request: ChatRequest, answer: Completion) -> bool:
    if not (answer.tool_calls or answer.invalid_tool_calls) or answer.metadata.get("tool_calls_via") != "server":
        return False
    try:
        verify_answer(request, answer)
    except ConstraintError as error:
        return error.code != "truncated"
    return False
