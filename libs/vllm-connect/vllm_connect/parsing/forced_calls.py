"""Calls that a grammar forces on the model.

Best in the model's own words, by a structural tag that leaves it room to think first. Where the format, or the server,
does not allow that, as plain JSON: a required call is `[{"name": "f", "parameters": {"x": 1}}]`, as vLLM's servers force it, and a
named one is its arguments alone, `{"x": 1}`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import call_object, items
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["forced_format", "forced_schema", "forced_tag"]

EMPTY = {"type": "object", "properties": {}}


THINKING = {
    "type": "or",
    "elements": [
        {"type": "const_string", "value": ""},
        {"type": "tag", "begin": "<think>", "content": {"type": "any_text"}, "end": "</think>\n\n"},
    ],
}


def forced_tag(format_: Format, tools: Sequence[Mapping[str, Any]], name: str | None, *, parallel: bool) -> str | None:
    """Build the structural tag that forces a call in the model's own format.

    Args:
        format_: The format.
        tools: The tools to choose from, in OpenAI's shape.
        name: The one to call; None for any.
        parallel: Whether there may be more than one call.

    Returns:
        The tag, JSON text; None where the format cannot be forced in this way.
    """
    if format_.forced is None:
        return None
    begin, end = format_.forced
    functions = [tool["function"] for tool in tools if name in (None, tool["function"]["name"])]
    tags = [
        {
            "type": "tag",
            "begin": begin.replace("{name}", function["name"]),
            "content": {"type": "json_schema", "json_schema": function.get("parameters") or EMPTY},
            "end": end,
        }
        for function in functions
    ]
    calls = {
        "type": "tags_with_separator",
        "tags": tags,
        "separator": "\n",
        "at_least_one": True,
        "stop_after_first": not parallel,
    }
    form = {"type": "sequence", "elements": [THINKING, calls]}
    return json.dumps({"type": "structural_tag", "format": form})


def forced_schema(tools: Sequence[Mapping[str, Any]], name: str | None, *, parallel: bool) -> dict[str, Any]:
    """Build the JSON schema that forces a call.

    Args:
        tools: The tools to choose from, in OpenAI's shape.
        name: The one to call; None for any.
        parallel: Whether there may be more than one call.

    Returns:
        The schema of the model's answer.
    """
    functions = [tool["function"] for tool in tools if name in (None, tool["function"]["name"])]
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
    """Build the format of a forced answer.

    Args:
        name: The tool that was named; None where any was required.
    """

    def named(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del tools
        scanner.back(opener)
        scanner.begin(name or "")
        close = yield from scanner.json_value(scanner.arguments)
        if close is None:
            return False
        scanner.end(close)
        return True

    def any_of(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        del tools
        scanner.back(opener)
        return (yield from items(scanner, call_object))

    return Format(names=("forced",), openers=("{",) if name else ("[",), block=named if name else any_of)
