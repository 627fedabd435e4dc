"""The error for a parser's name that does not exist.

`there is no tool-call format 'hermess': use hermes, or another name of format_names()`
"""

import difflib
from collections.abc import Iterable

from vllm_connect.errors import ConfigurationError

__all__ = ["FROM_CHECKPOINT", "unknown_name"]

FROM_CHECKPOINT = {
    "hf": "it reads the response template of the served checkpoint, which only the server has; use the name of the model's "
    "own format, or leave the parsing to the server with tool_parser='server'",
}
"""Names of vLLM's flags that say nothing about a format."""


def unknown_name(kind: str, name: str, names: Iterable[str], listing: str) -> ConfigurationError:
    """Create the error.

    Args:
        kind: What is named: `tool-call format`.
        name: The unknown name.
        names: The names that exist; the most similar ones are suggested.
        listing: The function that lists them.
    """
    if name in FROM_CHECKPOINT:
        return ConfigurationError(f"there is no {kind} {name!r} on the client: {FROM_CHECKPOINT[name]}")
    similar = difflib.get_close_matches(name, names)
    advice = f"use {', '.join(similar)}, or another name of {listing}" if similar else f"{listing} lists the names"
    return ConfigurationError(f"there is no {kind} {name!r}: {advice}")
