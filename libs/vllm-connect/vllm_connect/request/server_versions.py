"""Which server version has which feature: the one place that knows.

A version that is not known counts as the newest. Source: vLLM 0.8.5 to 0.33.0.
"""

from typing import Literal, TypeAlias

__all__ = ["SINCE", "Feature", "Version", "has_feature"]

Version: TypeAlias = tuple[int, int, int]
"""A vLLM version."""

Feature = Literal[
    "tools_in_tokenize",
    "return_token_ids",
    "structured_outputs",
    "reasoning_in_history",
    "engine_parsers",
    "scale_out",
]

SINCE: dict[Feature, Version] = {
    "tools_in_tokenize": (0, 10, 1),
    "return_token_ids": (0, 10, 2),
    "structured_outputs": (0, 11, 0),  # guided_* before, and ignored without an error since 0.12
    "reasoning_in_history": (0, 12, 0),  # reasoning_content before
    "engine_parsers": (0, 24, 0),  # which may delete calls where tool_choice is none
    "scale_out": (0, 30, 0),  # the flag that the render endpoints need
}
"""The first version that has a feature."""


def has_feature(version: Version | None, feature: Feature) -> bool:
    """Check whether a server version has a feature; None counts as the newest version."""
    return version is None or version >= SINCE[feature]
