"""What a request promises about its answer, and whether the answer keeps it.

A server may ignore a constraint and say nothing: `guided_json` since vLLM 0.12, a schema beside tools, a required call
without a grammar. So each is held against the answer when it has come, and what
was broken is an error that keeps the answer. A grammar and a structural tag cannot be checked here.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from vllm_connect.errors import ConfigurationError, ConstraintError, RefusalError
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.tool_choice import is_forced, resolve_tool_choice
from vllm_connect.response.completion import Completion, ToolCall
from vllm_connect.response.deltas import WHOLE
from vllm_connect.response.json_extraction import extract_json
from vllm_connect.schema.lint import lint_schema
from vllm_connect.schema.safe_regex import matches_whole
from vllm_connect.schema.validate import SchemaError, misfit

__all__ = ["promises_anything", "verify_answer"]


def promises_anything(request: ChatRequest) -> bool:
    """Tell whether there is anything to hold an answer against."""
    return request.refusals == "error" or (request.check_constraints and _asks_for_a_form(request))


def _asks_for_a_form(request: ChatRequest) -> bool:
    return (
        request.structured_outputs is not None
        or request.response_format is not None
        or bool(request.tools and (request.tool_choice or _strict(request)))
    )


def verify_answer(request: ChatRequest, answer: Completion) -> None:
    """Hold an ended answer against what its request promises.

    Args:
        request: What was asked.
        answer: What came.

    Raises:
        ConstraintError: A promise is broken; `partial` is the answer, and `code` is `truncated` where it was cut.
        RefusalError: The server marks the answer as a refusal, and `refusals` is `error`.
    """
    if answer.metadata.get("refused"):
        if request.refusals == "error":
            raise RefusalError("the model refused; its words are in .partial.text", partial=answer)
        return
    if not request.check_constraints:
        return
    if request.extract_json:
        answer = msgspec.structs.replace(answer, text=extract_json(answer.text))
    choice = resolve_tool_choice(request.tool_choice, request.tools)
    _verify_calls(request, answer, choice)
    if answer.tool_calls or answer.invalid_tool_calls:
        return
    if request.structured_outputs is not None:
        _verify_structured(request.structured_outputs.model_dump(by_alias=True, exclude_none=True), answer)
    if request.response_format is not None:
        _verify_format(request.response_format, answer)


def _verify_calls(request: ChatRequest, answer: Completion, choice: str | dict[str, Any] | None) -> None:
    schemas = {tool["function"]["name"]: tool["function"] for tool in request.tools or ()}
    forced = is_forced(choice)
    for call in answer.tool_calls:
        function = schemas.get(call.name) or {}
        if forced or function.get("strict"):
            _verify_arguments(call, function, answer, "a forced call" if forced else "strict")
    if not forced:
        return
    name = choice["function"]["name"] if isinstance(choice, dict) else None
    if any(name in (None, call.name) for call in answer.tool_calls):
        return
    wanted = f"a call of {name!r}" if name else "a tool call"
    if answer.finish_reason not in WHOLE:
        _truncated(f"tool_choice asked for {wanted}", answer)
    broken = next((call.error for call in answer.invalid_tool_calls if name in (None, call.name)), None)
    found = f"the one there is must not be run ({broken})" if broken else "the answer has none"
    _broken(
        f"tool_choice: {wanted} was asked for and {found}",
        "name the model's format in tool_parser, set strict on the tool",
        answer,
    )


def _verify_arguments(call: ToolCall, function: Mapping[str, Any], answer: Completion, why: str) -> None:
    schema = function.get("parameters") or {}
    problem = _misfit(call.parsed(), schema)
    if problem:
        wanted = f"the schema of the tool {call.name!r} ({why})"
        _broken(f"{wanted}: {problem}{_unheld(schema)}", "set strict on the tool", answer)


def _verify_structured(wanted: Mapping[str, Any], answer: Completion) -> None:
    text = answer.text.strip()
    if "json" in wanted:
        schema = wanted["json"]
        _verify_json(answer, json.loads(schema) if isinstance(schema, str) else schema)
    elif wanted.get("json_object"):
        _verify_json(answer, {"type": "object"})
    elif "choice" in wanted:
        if text not in [choice.strip() for choice in wanted["choice"]]:
            _not_kept("structured_outputs.choice", "the answer is none of the choices", answer)
    elif "regex" in wanted and not matches_whole(wanted["regex"], answer.text):
        _not_kept("structured_outputs.regex", "the answer does not match", answer)


def _verify_format(wanted: Mapping[str, Any], answer: Completion) -> None:
    if wanted.get("type") == "json_object":
        _verify_json(answer, {"type": "object"})
    elif wanted.get("type") == "json_schema":
        _verify_json(answer, (wanted.get("json_schema") or {}).get("schema") or {})


def _verify_json(answer: Completion, schema: Mapping[str, Any]) -> None:
    try:
        value = json.loads(answer.text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        what = "it is empty" if not answer.text.strip() else f"it is not JSON ({error})"
        _not_kept("the schema", what, answer)
    problem = _misfit(value, schema)
    if problem:
        _not_kept("the schema", f"{problem}{_unheld(schema)}", answer)


def _unheld(schema: Mapping[str, Any]) -> str:
    """Name what of a schema no grammar holds, and what to do about it."""
    ignored = ", ".join(finding.path for finding in lint_schema(schema))
    return f"; no grammar holds {ignored}: ask for it in the prompt, and ask again" if ignored else ""


def _misfit(value: Any, schema: Mapping[str, Any]) -> str | None:
    try:
        return misfit(value, schema)
    except SchemaError as error:
        problem = ConfigurationError(f"the schema is none: {error}")
    raise problem


def _not_kept(what: str, problem: str, answer: Completion) -> NoReturn:
    if answer.finish_reason not in WHOLE:
        _truncated(what, answer)
    if not answer.text.strip() and answer.reasoning:
        problem = f"{problem}, all of it is reasoning: is the server's --reasoning-parser the model's"
    _broken(f"{what}: {problem}", "use a server that knows structured_outputs (vLLM 0.11 and later)", answer)


def _truncated(what: str, answer: Completion) -> NoReturn:
    thought = " after thinking used up the tokens" if answer.reasoning and not answer.text.strip() else ""
    raise ConstraintError(
        f"the answer was cut{thought} (finish reason {answer.finish_reason}) before it could keep {what}: "
        "raise max_tokens, or let the model think less; what came is in .partial",
        partial=answer,
        code="truncated",
    )


def _broken(what: str, advice: str, answer: Completion) -> NoReturn:
    raise ConstraintError(
        f"the server did not enforce {what}; look at `partial`, {advice}, or set check_constraints=False",
        partial=answer,
    )


def _strict(request: ChatRequest) -> bool:
    return any((tool.get("function") or {}).get("strict") for tool in request.tools or ())


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
