"""Ids of tool calls that were parsed on the client.

`call_` and 32 hexadecimal digits, unless the family's chat templates require another form: nine alphanumeric characters for
Mistral, `functions.name:index` for Kimi.
"""

from collections.abc import Callable
from uuid import uuid4

__all__ = ["id_source", "new_call_id"]


def new_call_id(name: str, index: int) -> str:
    """Create a unique id."""
    del name, index
    return f"call_{uuid4().hex}"


def id_source(call_id: Callable[[str, int, str], str] | None) -> Callable[[str, int], str]:
    """Create a source of ids for one answer.

    Args:
        call_id: The format's rule; None for the usual form.

    Returns:
        A function from a tool's name and the call's index to an id.
    """
    if call_id is None:
        return new_call_id
    return lambda name, index: call_id(name, index, uuid4().hex)
