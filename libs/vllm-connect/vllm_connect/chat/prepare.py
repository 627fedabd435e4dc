"""A conversation as it is sent: its constraint shown, its tool calls made whole, its messages in the template's order.

`fit_messages(request, capabilities)` of `[user, user]` for a model whose template wants turns to alternate has one user turn,
and says so: `Fitted(messages, policy, {"message_policy": ["alternate"]})`. What counts tokens counts these messages.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.conversation.history_repair import repair_history
from vllm_connect.conversation.message_policy import UNCHANGED, MessagePolicy, apply_policy
from vllm_connect.conversation.schema_prompt import show_constraint
from vllm_connect.request.chat_request import ChatRequest

__all__ = ["Fitted", "fit_messages"]


class Fitted(NamedTuple):
    """A conversation that can be sent.

    Attributes:
        messages: The wire messages.
        policy: The order they are in.
        changes: What was changed, for the answer's metadata: `history_repaired`, `message_policy`.
    """

    messages: Sequence[dict[str, Any]]
    policy: MessagePolicy
    changes: dict[str, Any]


def fit_messages(request: ChatRequest, capabilities: ServerCapabilities) -> Fitted:
    """Put a conversation into a form and an order that the server takes.

    Args:
        request: What is asked.
        capabilities: What is known of the server.
    """
    messages: Sequence[dict[str, Any]] = request.messages
    policy, changes = UNCHANGED, {}
    if request.show_schema:
        structured = request.structured_outputs
        fields = {} if structured is None else structured.model_dump(by_alias=True, exclude_none=True)
        messages = show_constraint(messages, fields, request.response_format)
    if request.repair_history:
        messages, notes = repair_history(messages)
        if notes:
            changes["history_repaired"] = notes
    if request.message_policy != "none":
        wanted = request.message_policy
        policy = capabilities.policy(request.model) if wanted == "auto" else wanted
        ordered = apply_policy(messages, policy)
        if ordered != messages:
            changes["message_policy"] = policy.changes()
        messages = ordered
    return Fitted(messages, policy, changes)
