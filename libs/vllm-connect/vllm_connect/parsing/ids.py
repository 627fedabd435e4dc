"""Ids of tool calls that were parsed here.

`call_` and 32 hexadecimal digits, unless the family's templates insist on something else: nine alphanumerics for
Mistral, `functions.name:index` for Kimi.
"""

from collections.abc import Callable
from uuid import uuid4

__all__ = ["new_call_id", "new_ids"]


def new_call_id(name: str, index: int) -> str:
    """Make an id that no other call has."""
    del name, index
    return f"call_{uuid4().hex}"


def new_ids(id_of: Callable[[str, int, str], str] | None) -> Callable[[str, int], str]:
    """Make a source of ids for one answer.

    Args:
        id_of: A format's rule, None for the usual one.

    Returns:
        A function from a tool's name and the call's index to an id.
    """
    if id_of is None:
        return new_call_id
    return lambda name, index: id_of(name, index, uuid4().hex)
