"""The error for a parser's name that does not exist.

`there is no tool-call format 'hermess': use hermes, or another name of format_names()`
"""

import difflib
from collections.abc import Iterable

from vllm_connect.errors import ConfigurationError

__all__ = ["unknown_name"]


def unknown_name(kind: str, name: str, names: Iterable[str], listing: str) -> ConfigurationError:
    """Create the error.

    Args:
        kind: What is named: `tool-call format`.
        name: The unknown name.
        names: The names that exist; the most similar ones are suggested.
        listing: The function that lists them.
    """
    similar = difflib.get_close_matches(name, names)
    advice = f"use {', '.join(similar)}, or another name of {listing}" if similar else f"{listing} lists the names"
    return ConfigurationError(f"there is no {kind} {name!r}: {advice}")
