"""JSON objects merged deeply.

`merge({"a": {"b": 1}}, {"a": {"c": 2}})` is `{"a": {"b": 1, "c": 2}}`.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["merge"]


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two JSON objects deeply; a value of `over` that is not an object replaces the other.

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
