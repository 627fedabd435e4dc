"""Validation of a complete answer against the constraints of its request.

A server may ignore a constraint without an error: `guided_json` since vLLM 0.12, a schema beside tools, a required call
without a grammar. So every complete answer is validated, and a violation is an error that keeps the answer in `partial`.
A grammar and a structural tag cannot be validated here.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from vllm_connect.errors import ConfigurationError, ConstraintError, RefusalError
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.tool_choice import is_forced
from vllm_connect.response.completion import Completion, ToolCall
from vllm_connect.response.deltas import COMPLETE
from vllm_connect.response.json_extraction import extract_json
from vllm_connect.schema.lint import lint_schema
from vllm_connect.schema.safe_regex import matches_whole
from vllm_connect.schema.validate import SchemaError, find_violation

__all__ = ["is_validated", "validate_answer"]


def is_validated(request: ChatRequest) -> bool:
    """Check whether an answer to a request has to be validated."""
    return request.refusals == "error" or (request.check_constraints and _has_constraint(request))


def _has_constraint(request: ChatRequest) -> bool:
    return (
        request.structured_outputs is not None
        or request.response_format is not None
        or bool(request.tools and (request.tool_choice or _strict(request)))
    )


def validate_answer(request: ChatRequest, answer: Completion) -> None:
    """Validate a complete answer.

    Args:
        request: The request, normalized.
        answer: The answer.

    Raises:
        ConstraintError: A constraint is violated; `partial` is the answer, and `code` is `truncated` where the answer was
            truncated.
        RefusalError: The server marks the answer as a refusal, and `refusals` is `error`.
    """
    if answer.metadata.get("refused"):
        if request.refusals == "error":
            raise RefusalError(
                "the model refused to answer: its text is in .partial, and refusals='text' returns it as the answer",
                partial=answer,
            )
        return
    if not request.check_constraints:
        return
    if request.extract_json:
        answer = msgspec.structs.replace(answer, text=extract_json(answer.text))
    _validate_calls(request, answer)
    if answer.tool_calls or answer.invalid_tool_calls:
        return
    if request.structured_outputs is not None:
        _validate_structured(request.structured_outputs.fields(), answer)
    if request.response_format is not None:
        _validate_format(request.response_format, answer)


def _validate_calls(request: ChatRequest, answer: Completion) -> None:
    choice = request.tool_choice
    schemas = {tool["function"]["name"]: tool["function"] for tool in request.tools or ()}
    forced = is_forced(choice)
    for call in answer.tool_calls:
        function = schemas.get(call.name) or {}
        if request.check_arguments and (forced or function.get("strict")):
            _validate_arguments(call, function, answer, "a forced call" if forced else "strict")
    if not forced:
        return
    name = choice["function"]["name"] if isinstance(choice, dict) else None
    if any(name in (None, call.name) for call in answer.tool_calls):
        return
    wanted = f"a call of {name!r}" if name else "a tool call"
    if answer.finish_reason not in COMPLETE:
        _truncated(f"the requested tool_choice ({wanted})", answer)
    broken = next((call.error for call in answer.invalid_tool_calls if name in (None, call.name)), None)
    found = f"the call in the answer is invalid ({broken})" if broken else "the answer has no such call"
    _violated(
        f"tool_choice: {wanted} was requested and {found}",
        "name the model's format in tool_parser, set strict on the tool",
        answer,
    )


def _validate_arguments(call: ToolCall, function: Mapping[str, Any], answer: Completion, why: str) -> None:
    schema = function.get("parameters") or {}
    problem = _problem(call.parsed(), schema)
    if problem:
        wanted = f"the schema of the tool {call.name!r} ({why})"
        _violated(f"{wanted}: {problem}{_unsupported(schema)}", "set strict on the tool", answer)


def _validate_structured(wanted: Mapping[str, Any], answer: Completion) -> None:
    text = answer.text.strip()
    if "json" in wanted:
        schema = wanted["json"]
        _validate_json(answer, json.loads(schema) if isinstance(schema, str) else schema)
    elif wanted.get("json_object"):
        _validate_json(answer, {"type": "object"})
    elif "choice" in wanted:
        if text not in [choice.strip() for choice in wanted["choice"]]:
            _not_valid("structured_outputs.choice", "the answer is not one of the choices", answer)
    elif "regex" in wanted and not matches_whole(wanted["regex"], answer.text):
        _not_valid("structured_outputs.regex", "the answer does not match the regular expression", answer)


def _validate_format(wanted: Mapping[str, Any], answer: Completion) -> None:
    if wanted.get("type") == "json_object":
        _validate_json(answer, {"type": "object"})
    elif wanted.get("type") == "json_schema":
        _validate_json(answer, (wanted.get("json_schema") or {}).get("schema") or {})


def _validate_json(answer: Completion, schema: Mapping[str, Any]) -> None:
    try:
        value = json.loads(answer.text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        what = "the answer is empty" if not answer.text.strip() else f"the answer is not JSON ({error})"
        _not_valid("the schema", what, answer)
    problem = _problem(value, schema)
    if problem:
        _not_valid("the schema", f"{problem}{_unsupported(schema)}", answer)


def _unsupported(schema: Mapping[str, Any]) -> str:
    """Name the keywords of a schema that no grammar enforces, and what to do about them."""
    ignored = ", ".join(finding.path for finding in lint_schema(schema))
    return f"; grammars do not enforce {ignored}: describe it in the prompt, and retry" if ignored else ""


def _problem(value: Any, schema: Mapping[str, Any]) -> str | None:
    try:
        return find_violation(value, schema)
    except SchemaError as error:
        problem = ConfigurationError(f"the schema is not a valid JSON schema: {error}")
    raise problem


def _not_valid(what: str, problem: str, answer: Completion) -> NoReturn:
    if answer.finish_reason not in COMPLETE:
        _truncated(what, answer)
    if not answer.text.strip() and answer.reasoning:
        problem = f"{problem}, the whole answer is reasoning: check that the server's --reasoning-parser is the model's"
    _violated(f"{what}: {problem}", "use a server with structured_outputs (vLLM 0.11 and later)", answer)


def _truncated(what: str, answer: Completion) -> NoReturn:
    thought = " after the reasoning used up the tokens" if answer.reasoning and not answer.text.strip() else ""
    advice = "raise max_tokens, or let the model think less"
    if _is_degenerate(answer.text):
        thought = " after nothing but whitespace"
        advice = (
            "a model that thinks first cannot do so under a grammar if the server has no --reasoning-parser: "
            "start it with one, or set reasoning=False"
        )
    raise ConstraintError(
        f"the answer was truncated{thought} (finish reason {answer.finish_reason}) before it could satisfy {what}: "
        f"{advice}; what arrived is in .partial",
        partial=answer,
        code="truncated",
    )


def _is_degenerate(text: str) -> bool:
    """Check whether a text is whitespace and at most a bracket: what is left to a model that a grammar keeps from thinking."""
    content = text.strip()
    return len(content) <= LONGEST_BRACKETS and len(text) - len(content) >= SHORTEST_WHITESPACE


LONGEST_BRACKETS = 2
SHORTEST_WHITESPACE = 16


def _violated(what: str, advice: str, answer: Completion) -> NoReturn:
    raise ConstraintError(
        f"the server did not enforce {what}; look at .partial, {advice}, or set check_constraints=False",
        partial=answer,
    )


def _strict(request: ChatRequest) -> bool:
    return any((tool.get("function") or {}).get("strict") for tool in request.tools or ())


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
