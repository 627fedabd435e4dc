"""Tools in every shape LangChain knows, and the one shape that vLLM reads.

A `BaseTool`, a function, a pydantic class (v1 or v2), a `TypedDict`, a JSON schema and the dicts of OpenAI and
Anthropic all become `{"type": "function", "function": {"name", "description", "parameters"}}`. An agent binds the
same tools before each call, so the result is kept for each object as long as the object lives.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_vllm.errors import ConfigurationError

__all__ = ["Tool", "to_wire_tools"]

Tool: TypeAlias = Mapping[str, Any] | type | Callable[..., Any] | BaseTool


def to_wire_tools(tools: Sequence[Tool], *, strict: bool | None = None) -> list[dict[str, Any]]:
    """Write tools as vLLM reads them.

    Args:
        tools: Tools in any shape.
        strict: Whether arguments must have the form of the schema; None leaves each tool as it is.

    Returns:
        Function tools in OpenAI's shape. They are shared between calls: copy before you change one.

    Raises:
        ConfigurationError: Something is no tool.
    """
    return [_converted(tool, strict) for tool in tools]


def _converted(tool: Tool, strict: bool | None) -> dict[str, Any]:
    if isinstance(tool, Mapping):
        function = tool.get("function")
        if tool.get("type") == "function" and isinstance(function, Mapping):
            return dict(tool) if strict is None or "strict" in function else _convert(dict(function), strict)
        return _convert(dict(tool), strict)
    key = (id(tool), strict)
    kept = _KEPT.get(key)
    if kept is not None and kept.tool() is tool and kept.fingerprint == _fingerprint(tool):
        return kept.wire
    wire = _convert(tool, strict)
    try:
        reference = weakref.ref(tool, lambda _: _KEPT.pop(key, None))
    except TypeError:  # not everything can be referred to weakly
        return wire
    _KEPT[key] = _Kept(reference, _fingerprint(tool), wire)
    return wire


def _convert(tool: Any, strict: bool | None) -> dict[str, Any]:
    try:
        return convert_to_openai_tool(tool, strict=strict)
    except ValueError as error:
        raise ConfigurationError(f"a tool cannot be read: {error}") from error


class _Kept:
    """What a tool became, while it is alive and unchanged."""

    __slots__ = ("fingerprint", "tool", "wire")

    def __init__(self, tool: "weakref.ref[Any]", fingerprint: object, wire: dict[str, Any]) -> None:
        self.tool = tool
        self.fingerprint = fingerprint
        self.wire = wire


_KEPT: dict[tuple[int, bool | None], _Kept] = {}


def _fingerprint(tool: object) -> object:
    """Tell whether a tool object was changed; functions and classes do not change."""
    if isinstance(tool, BaseTool):
        return (tool.name, tool.description, id(tool.args_schema))
    return None
