"""Which assistant messages are sent back with their reasoning.

Models that think between tool calls need their reasoning until the loop of calls ends; after the next user message most
chat templates drop it. In `user, assistant, tool, assistant` the policy `tool_loop` replays from position 1 on.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

__all__ = ["ReasoningReplay", "replay_start"]

ReasoningReplay: TypeAlias = Literal["tool_loop", "all", "none"]
"""Which assistant messages carry their reasoning: those since the last user message, all, or none."""


def replay_start(from_user: Sequence[bool], policy: ReasoningReplay) -> int:
    """Find the position from which on assistant messages carry their reasoning.

    Args:
        from_user: For each message of the conversation, whether it is the user's.
        policy: Which messages carry it.

    Returns:
        The position of the first such message; the number of messages if there is none.
    """
    if policy == "all":
        return 0
    if policy == "none":
        return len(from_user)
    return next((at + 1 for at in range(len(from_user) - 1, -1, -1) if from_user[at]), 0)
