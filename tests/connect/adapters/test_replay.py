"""From which message on reasoning is sent back."""

import pytest
from vllm_connect.adapters import ReasoningReplay, replay_start

USER, OTHER = True, False


@pytest.mark.parametrize(
    ("from_user", "policy", "start"),
    [
        ([USER, OTHER, USER, OTHER, OTHER], "tool_loop", 3),
        ([USER, OTHER, OTHER], "tool_loop", 1),
        ([OTHER, OTHER], "tool_loop", 0),
        ([OTHER, USER], "tool_loop", 2),
        ([], "tool_loop", 0),
        ([USER, OTHER], "all", 0),
        ([USER, OTHER], "none", 2),
    ],
)
def test_reasoning_is_replayed_from_there(from_user: list[bool], policy: ReasoningReplay, start: int) -> None:
    assert replay_start(from_user, policy) == start
