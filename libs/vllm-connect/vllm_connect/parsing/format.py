"""A tool-call format: its names, its markers, and the grammar of what stands between them.

`Format(names=("hermes",), openers=("<tool_call>",), block=json_objects(...))`. The names are those of vLLM's
`--tool-call-parser`, so that a flag can be copied. Every module in `formats` that holds a `FORMAT` is one.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from vllm_connect.errors import ConfigurationError
from vllm_connect.parsing.scanner import SPACE, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["Block", "Format", "find_format", "format_names"]

Block: TypeAlias = Callable[[Scanner, str, Tools], Reading[bool]]
"""Reads what follows an opener; False if it is no markup after all. Takes the scanner, the opener and the tools."""


@dataclass(frozen=True)
class Format:
    """How a model family writes tool calls.

    Attributes:
        names: Its name and aliases, as vLLM names its parsers.
        openers: The words that begin a block of calls; none is the beginning of another.
        block: Reads a block after its opener.
        unmistakable: Whether the opener alone proves that a call follows. If not, only a call to a declared tool with
            arguments that fit is one, and everything else is text.
        noise: Words that mean nothing and are dropped.
        between: Characters that mean nothing between two calls and after the last.
        forced: What stands before and after the arguments of one call, `{name}` for its name, so that a grammar can
            force it; None where that cannot be said in this way.
        id_of: Makes an id as the family's templates expect it, from the tool's name, the call's index in the message and
            a random word; None for the usual one.
    """

    names: tuple[str, ...]
    openers: tuple[str, ...]
    block: Block = field(repr=False)
    unmistakable: bool = True
    noise: tuple[str, ...] = ()
    between: str = SPACE
    forced: tuple[str, str] | None = None
    id_of: Callable[[str, int, str], str] | None = field(default=None, repr=False)

    def __reduce__(self) -> Any:
        """Pickle one of the formats here by its name, since its grammar is a closure, and any other by its parts."""
        name = self.names[0]
        return (find_format, (name,)) if _formats().get(name) is self else super().__reduce__()


@lru_cache(maxsize=1)
def _formats() -> dict[str, Format]:
    """Collect the formats, once, when the first is asked for."""
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
        ConfigurationError: There is none of that name; the message has the nearest ones.
    """
    found = _formats().get(name)
    if found is None:
        import difflib  # noqa: PLC0415 - only a mistake needs it

        near = difflib.get_close_matches(name, _formats(), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ConfigurationError(f"there is no tool-call format {name!r}{hint} The names are those of format_names()")
    return found


def format_names() -> list[str]:
    """List the names and aliases of all formats, sorted."""
    return sorted(_formats())
