"""Which tool a model has to call, as vLLM writes it.

`any`, LangChain's name, is `required`; the name of a tool is `{"type": "function", "function": {"name": "add"}}`.
Source: ChatCompletionRequest.tool_choice of vLLM 0.32.0, which answers 400 to `any`.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.errors import ConfigurationError

__all__ = ["is_forced", "resolve_tool_choice"]


def resolve_tool_choice(
    choice: str | bool | Mapping[str, Any] | None, tools: list[dict[str, Any]] | None
) -> str | dict[str, Any] | None:
    """Convert a tool choice into vLLM's form.

    Args:
        choice: `auto`, `none`, `required`, `any`, a boolean, a tool's name, or a dict in OpenAI's shape.
        tools: The tools it chooses from.

    Returns:
        `auto`, `none`, `required`, a named choice, or None where nothing was chosen.

    Raises:
        ConfigurationError: The choice names no tool of the request, or there are none to choose from.
    """
    if choice is None or choice is False:
        return None if choice is None or not tools else "none"
    names = [tool.get("function", {}).get("name") for tool in tools or ()]
    if choice in ("auto", "none") and isinstance(choice, str):
        return choice if tools else None
    if not tools:
        raise ConfigurationError(f"tool_choice={_shown(choice)} needs tools: bind at least one, or drop it")
    if choice is True or choice in ("any", "required"):
        return "required"
    name = choice if isinstance(choice, str) else _named(choice)
    known = ", ".join(str(n) for n in names)
    if name is None:
        raise ConfigurationError(f"tool_choice={{…}} has no function.name: name a tool, the tools are {known}")
    if name not in names:
        raise ConfigurationError(f"tool_choice names the tool {name!r}, which is not bound: the tools are {known}")
    return {"type": "function", "function": {"name": name}}


def is_forced(choice: Any) -> bool:
    """Check whether a resolved tool choice forces a call."""
    return choice == "required" or isinstance(choice, dict)


def _named(choice: Mapping[str, Any] | bool) -> Any:
    """Read the name from OpenAI's, Anthropic's or the plain form."""
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function")
    return function.get("name") if isinstance(function, Mapping) else choice.get("name")


def _shown(choice: object) -> str:
    return repr(choice) if isinstance(choice, str | bool) else "{…}"
