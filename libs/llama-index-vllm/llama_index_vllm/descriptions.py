"""The description of a tool, made once for each tool and kept as long as it lives and is unchanged.

An agent sends the same tools with every step, and pydantic writes the schema of a tool's arguments anew each time it is
asked for it.
"""

import weakref
from typing import Any, NamedTuple

from llama_index.core.tools.types import ToolMetadata

__all__ = ["described"]


class _Kept(NamedTuple):
    metadata: "weakref.ref[ToolMetadata]"
    fingerprint: tuple[Any, ...]
    spec: dict[str, Any]


_KEPT: dict[int, _Kept] = {}


def described(metadata: ToolMetadata) -> dict[str, Any]:
    """Describe a tool in OpenAI's shape.

    Args:
        metadata: What the tool says of itself.

    Returns:
        The description. It is shared between calls: copy before you change it.
    """
    key = id(metadata)
    fingerprint = (metadata.name, metadata.description, metadata.fn_schema)
    kept = _KEPT.get(key)
    if kept is not None and kept.metadata() is metadata and kept.fingerprint == fingerprint:
        return kept.spec
    spec = metadata.to_openai_tool(skip_length_check=True)
    if type(metadata) is ToolMetadata:  # a subclass may say something else each time
        _KEPT[key] = _Kept(weakref.ref(metadata, lambda _: _KEPT.pop(key, None)), fingerprint, spec)
    return spec
