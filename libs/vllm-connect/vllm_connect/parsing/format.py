r"""A tool-call format: its names, its markers, and the grammar of the text between them.

`Format(names=("hermes",), start_markers=("<tool_call>",), block=json_objects("</tool_call>"))`. The names are those of vLLM's
`--tool-call-parser`, so that a flag can be copied. Every module in `formats` that has a `FORMAT` is one, and nothing else
needs to know of it: what distinguishes it from others and how its calls are forced are fields of the format.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from vllm_connect.parsing.scanner import WHITESPACE, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.parsing.unknown_names import unknown_name

__all__ = ["Block", "CallMarkup", "Format", "find_format", "format_names"]

Block: TypeAlias = Callable[[Scanner, str, Tools], Reading[bool]]
"""Reads what follows a start marker, given the scanner, the marker and the tools; False if it is not markup after all."""


@dataclass(frozen=True)
class CallMarkup:
    r"""The markup around the arguments of calls, so that a structural tag can force them.

    `CallMarkup('<tool_call>\n{"name": "{name}", "arguments": ', "}\n</tool_call>")`.

    Attributes:
        begin: The markup before a call's arguments, with `{name}` for the tool's name and `{index}` for digits.
        end: The markup after a call's arguments.
        separator: The text between two calls.
        before: The markup before the first call.
        after: The markup after the last call.
        style: How the arguments are written: `json`, or one of xgrammar's XML styles.
    """

    begin: str
    end: str
    separator: str = "\n"
    before: str = ""
    after: str = ""
    style: str = "json"


@dataclass(frozen=True)
class Format:
    """How a model family writes tool calls.

    Attributes:
        names: Its name and aliases, as vLLM names its parsers.
        start_markers: The markers that begin a block of calls; none is the beginning of another.
        block: Reads a block after its start marker.
        unambiguous: Whether a start marker alone proves that a call follows. If not, only a call to a declared tool with
            arguments that fit its schema is one, and everything else is text.
        ignored_markers: Markers without a meaning, which are dropped.
        ignored_between: Characters that are dropped between two calls and after the last.
        followed_by: What follows a start marker that other formats share, whitespace aside, for auto-detection; none if
            anything else may follow.
        undetected: Start markers that auto-detection does not search for, since texts of other formats have them.
        rank: Which format auto-detection prefers where nothing tells two apart: the one with the higher rank.
        prefilled: The start marker that every prompt ends with, so that the text begins after it; empty otherwise.
        marks_reasoning: Whether its own messages distinguish reasoning, so that no reasoning parser is needed.
        forced: How a structural tag forces calls; None where it cannot.
        call_id: Creates an id as the family's templates expect it, from the tool's name, the call's index in the message
            and a random string of hexadecimal digits; None for the usual form.
    """

    names: tuple[str, ...]
    start_markers: tuple[str, ...]
    block: Block = field(repr=False)
    unambiguous: bool = True
    ignored_markers: tuple[str, ...] = ()
    ignored_between: str = WHITESPACE
    followed_by: tuple[str, ...] = ()
    undetected: tuple[str, ...] = ()
    rank: int = 0
    prefilled: str = ""
    marks_reasoning: bool = False
    forced: CallMarkup | None = None
    call_id: Callable[[str, int, str], str] | None = field(default=None, repr=False)

    def __reduce__(self) -> Any:
        """Pickle a built-in format by its name, since its grammar is a closure, and a custom one by its fields."""
        name = self.names[0]
        return (find_format, (name,)) if _formats().get(name) is self else super().__reduce__()


@lru_cache(maxsize=1)
def _formats() -> dict[str, Format]:
    """Collect the formats by name, once, when the first is needed."""
    from vllm_connect.parsing import formats  # noqa: PLC0415 - the formats import this module

    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(formats.__path__):
        format_ = importlib.import_module(f"{formats.__name__}.{module.name}").FORMAT
        for name in format_.names:
            found[name] = format_
    return found


def find_format(name: str) -> Format:
    """Find a format by its name or an alias.

    Args:
        name: A name of vLLM's `--tool-call-parser`.

    Returns:
        The format.

    Raises:
        ConfigurationError: There is no format of that name; the message lists similar names.
    """
    found = _formats().get(name)
    if found is None:
        raise unknown_name("tool-call format", name, _formats(), "format_names()")
    return found


def format_names() -> list[str]:
    """Return the names and aliases of all formats, sorted."""
    return sorted(_formats())
