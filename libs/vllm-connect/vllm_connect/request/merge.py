"""Settings laid over settings: a call's over a model's, a caller's JSON over ours.

`override_fields({"top_k": 5}, {"top_k": None, "seed": 1})` is `{"top_k": None, "seed": 1}`.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["merge", "override_fields"]

DEEP = frozenset(
    {"chat_template_kwargs", "extra_body", "headers", "media_io_kwargs", "mm_processor_kwargs", "vllm_xargs"}
)
"""Fields of which a call's value is merged into the model's, not put in its place."""


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two JSON objects deeply; where both have a value that is no object, `over` has it.

    Args:
        under: The defaults.
        over: What overrides them.

    Returns:
        A new object; neither argument is changed.
    """
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def override_fields(defaults: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a call's fields over a model's.

    Args:
        defaults: The model's fields.
        overrides: The call's; a None takes a default away, a dict of extras is merged into it.

    Returns:
        The fields of the request.
    """
    fields = dict(defaults)
    for name, value in overrides.items():
        below = fields.get(name)
        fields[name] = merge(below, value) if name in DEEP and isinstance(below, Mapping) and value else value
    return fields
