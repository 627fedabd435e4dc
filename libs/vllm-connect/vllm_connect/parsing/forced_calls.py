"""Calls that a grammar forces on the model.

Preferably in the model's own format, by a structural tag that leaves it room to think first. If the format, or the server,
does not allow that, as plain JSON: a required call is `[{"name": "f", "parameters": {"x": 1}}]`, as vLLM's servers force it,
and a named one is its arguments alone, `{"x": 1}`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import call_object, items
from vllm_connect.parsing.grammars.json_text import forward_json_value
from vllm_connect.parsing.reasoning import Reasoning
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["MOST_WHITESPACE", "answer_tag", "forced_format", "forced_schema", "forced_tag"]

EMPTY = {"type": "object", "properties": {}}

INDEX = "{index}"

MOST_WHITESPACE = 16
"""Most characters of whitespace between two tokens of JSON; a weak model may write nothing else for the rest of its tokens.
Servers before xgrammar 0.2 ignore it."""


def forced_tag(
    format_: Format,
    tools: Sequence[Mapping[str, Any]],
    name: str | None,
    *,
    parallel: bool,
    reasoning: Reasoning | None = None,
    starts_in_reasoning: bool | None = False,
) -> str | None:
    """Build the structural tag that forces a call in the model's own format.

    Args:
        format_: The format.
        tools: The tools to choose from, in OpenAI's format.
        name: The tool to call; None for any.
        parallel: Whether there may be more than one call.
        reasoning: The model's reasoning, which may precede the calls; None if it has none.
        starts_in_reasoning: Whether the prompt ends inside of it; None if that is not known.

    Returns:
        The tag, JSON text; None if the format cannot be forced in this way.
    """
    markup = format_.forced
    if markup is None:
        return None
    calls = {
        "type": "tags_with_separator",
        "tags": [_tag(markup, function) for function in _chosen(tools, name)],
        "separator": markup.separator,
        "at_least_one": True,
        "stop_after_first": not parallel,
    }
    elements = [*_constant(markup.before), calls, *_constant(markup.after)]
    return answer_tag(elements, reasoning, starts_in_reasoning=starts_in_reasoning)


def answer_tag(elements: list[dict[str, Any]], reasoning: Reasoning | None, *, starts_in_reasoning: bool | None) -> str:
    """Build the structural tag of an answer that reasoning may precede.

    Args:
        elements: The elements of the answer.
        reasoning: As for `forced_tag`.
        starts_in_reasoning: As for `forced_tag`.

    Returns:
        The tag, JSON text.
    """
    thoughts = _thoughts(reasoning, starts_in_reasoning) if reasoning is not None else []
    answers = [{"type": "sequence", "elements": [*before, *elements]} for before in ([], *thoughts)]
    if starts_in_reasoning and thoughts:
        answers = answers[1:]
    content = answers[0] if len(answers) == 1 else {"type": "or", "elements": answers}
    return json.dumps({"type": "structural_tag", "format": content})


def _thoughts(reasoning: Reasoning, starts_in_reasoning: bool | None) -> list[list[dict[str, Any]]]:
    """Return the forms of reasoning before the calls; servers before 0.17 refuse an optional element."""
    starts = [] if starts_in_reasoning else [reasoning.start_marker]
    starts += [""] if starts_in_reasoning is not False else []
    end = reasoning.end_marker + reasoning.separator
    return [
        [{"type": "tag", "begin": start, "content": {"type": "any_text"}, "end": end}]
        for start in starts
        if start or starts_in_reasoning is not False
    ]


def _tag(markup: CallMarkup, function: Mapping[str, Any]) -> dict[str, Any]:
    begin, index, rest = markup.begin.replace("{name}", function["name"]).partition(INDEX)
    content: dict[str, Any] = {"type": "json_schema", "json_schema": function.get("parameters") or EMPTY}
    if markup.style == "json":
        content["max_whitespace_cnt"] = MOST_WHITESPACE
    else:
        content["style"] = markup.style
    if index:
        digits = {"type": "regex", "pattern": "[0-9]+"}
        content = {"type": "sequence", "elements": [digits, *_constant(rest), content]}
    return {"type": "tag", "begin": begin, "content": content, "end": markup.end}


def _constant(text: str) -> list[dict[str, Any]]:
    return [{"type": "const_string", "value": text}] if text else []


def _chosen(tools: Sequence[Mapping[str, Any]], name: str | None) -> list[Mapping[str, Any]]:
    return [tool["function"] for tool in tools if name in (None, tool["function"]["name"])]


def forced_schema(tools: Sequence[Mapping[str, Any]], name: str | None, *, parallel: bool) -> dict[str, Any]:
    """Build the JSON schema that forces a call.

    Args:
        tools: The tools to choose from, in OpenAI's format.
        name: The tool to call; None for any.
        parallel: Whether there may be more than one call.

    Returns:
        The schema of the model's answer.
    """
    functions = _chosen(tools, name)
    if name is not None:
        return dict(functions[0].get("parameters") or EMPTY)
    definitions: dict[str, Any] = {}
    branches = []
    for function in functions:
        parameters = dict(function.get("parameters") or EMPTY)
        definitions.update(parameters.pop("$defs", {}))
        branches.append(
            {
                "properties": {"name": {"type": "string", "enum": [function["name"]]}, "parameters": parameters},
                "required": ["name", "parameters"],
            }
        )
    schema: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "object", "anyOf": branches}}
    if not parallel:
        schema["maxItems"] = 1
    return {**schema, "$defs": definitions} if definitions else schema


def forced_format(name: str | None) -> Format:
    """Build the format of an answer that `forced_schema` constrains.

    Args:
        name: The tool that was named; None if any tool was required.
    """

    def named(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        del tools
        scanner.unread(marker)
        scanner.start_call(name or "")
        close = yield from forward_json_value(scanner, scanner.emit_arguments)
        if close is None:
            return False
        scanner.end_call(close)
        return True

    def any_of(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
        del tools
        scanner.unread(marker)
        return (yield from items(scanner, call_object))

    return Format(names=("forced",), start_markers=("{",) if name else ("[",), block=named if name else any_of)
