"""Calls that a grammar forced on the model: plain JSON, whatever the model's own format.

A required call is `[{"name": "f", "parameters": {"x": 1}}]`, as vLLM's servers force it; a named one is its arguments
alone, `{"x": 1}`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.json_calls import call_object, items
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tools import Tools

__all__ = ["forced_format", "forced_schema"]

EMPTY = {"type": "object", "properties": {}}


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
