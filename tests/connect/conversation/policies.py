"""Policies of messages, drawn at random."""

from hypothesis import strategies as st
from vllm_connect import MessagePolicy

__all__ = ["POLICIES"]

POLICIES = st.builds(
    MessagePolicy,
    developer=st.sampled_from(["keep", "system"]),
    merge_leading_systems=st.booleans(),
    late_systems=st.sampled_from(["keep", "user"]),
    system=st.sampled_from(["keep", "first_user"]),
    alternate=st.booleans(),
    flat_content=st.booleans(),
    tool_media=st.sampled_from(["keep", "user"]),
    split_tool_calls=st.booleans(),
    tool_call_ids=st.sampled_from(["keep", "short", "numbered"]),
)
