"""Tools in every format that LangChain accepts, converted to the one that vLLM accepts.

A `BaseTool`, a function, a pydantic class (v1 or v2), a `TypedDict`, a JSON schema and the dicts of OpenAI and
Anthropic all become `{"type": "function", "function": {"name", "description", "parameters"}}`. An agent binds the
same tools before each call, so each object is converted once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from vllm_connect.adapters import IdentityCache

from langchain_vllm.errors import ConfigurationError

__all__ = ["Tool", "to_wire_tools"]

Tool: TypeAlias = Mapping[str, Any] | type | Callable[..., Any] | BaseTool


def to_wire_tools(tools: Sequence[Tool], *, strict: bool | None = None) -> list[dict[str, Any]]:
    """Convert tools to OpenAI's format.

    Args:
        tools: Tools in any format.
        strict: Whether arguments must match the schema; None leaves each tool unchanged.

    Returns:
        Function tools. They are shared between calls: copy one before you change it.

    Raises:
        ConfigurationError: An item is not a tool.
    """
    return [_converted(tool, strict) for tool in tools]


def _converted(tool: Tool, strict: bool | None) -> dict[str, Any]:
    if isinstance(tool, Mapping):
        function = tool.get("function")
        if tool.get("type") == "function" and isinstance(function, Mapping):
            return dict(tool) if strict is None or "strict" in function else _convert(dict(function), strict)
        return _convert(dict(tool), strict)
    return _CONVERTED.get(tool, lambda: _convert(tool, strict), variant=strict)


FUNCTIONS = frozenset({"custom", "function", "object"})
"""Types of dicts that describe a function, a JSON schema of its arguments among them."""


def _convert(tool: Any, strict: bool | None) -> dict[str, Any]:
    kind = tool.get("type", "function") if isinstance(tool, Mapping) else "function"
    if kind not in FUNCTIONS:
        raise ConfigurationError(
            f"the tool {kind!r} is run by other providers, and vLLM calls functions only: bind a function that does the same"
        )
    try:
        return convert_to_openai_tool(tool, strict=strict)
    except ValueError as error:
        raise ConfigurationError(
            f"a tool cannot be converted, pass a function, a BaseTool, a pydantic class or a dict of a tool: {error}"
        ) from error


def _fingerprint(tool: object) -> object:
    """Return what a program may change in a tool; functions and classes do not change."""
    if isinstance(tool, BaseTool):
        return (tool.name, tool.description, id(tool.args_schema))
    return None


_CONVERTED: IdentityCache[Any, dict[str, Any]] = IdentityCache(_fingerprint)
