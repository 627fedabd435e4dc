"""A conversation as it is sent: its constraint shown, its tool calls repaired, its messages in the template's order.

`prepare_messages(request, capabilities)` of `[user, user]` for a model whose template wants turns to alternate has one user
turn, and its `changes` say so: `{"message_policy": ["alternate"]}`. What counts tokens counts these messages.
"""

from typing import Any, NamedTuple

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.conversation.history_repair import repair_history
from vllm_connect.conversation.message_policy import UNCHANGED, MessagePolicy, apply_policy
from vllm_connect.conversation.schema_prompt import show_constraint
from vllm_connect.request.chat_request import ChatRequest

__all__ = ["PreparedMessages", "prepare_messages"]


class PreparedMessages(NamedTuple):
    """A conversation that can be sent.

    Attributes:
        asked: The request as it was given.
        request: The request with these messages.
        policy: The message policy that was applied.
        changes: What was changed, for the answer's metadata: `history_repaired`, `message_policy`.
    """

    asked: ChatRequest
    request: ChatRequest
    policy: MessagePolicy
    changes: dict[str, Any]


def prepare_messages(request: ChatRequest, capabilities: ServerCapabilities) -> PreparedMessages:
    """Convert a conversation into a form and an order that the server accepts.

    Args:
        request: The request; it is not changed.
        capabilities: What is known of the server.
    """
    asked, messages = request, request.messages
    policy = UNCHANGED
    changes: dict[str, Any] = {}
    if request.show_schema:
        structured = request.structured_outputs
        messages = show_constraint(messages, {} if structured is None else structured.fields(), request.response_format)
    if request.repair_history:
        messages, notes = repair_history(messages)
        if notes:
            changes["history_repaired"] = notes
    if request.message_policy != "none":
        wanted = request.message_policy
        policy = capabilities.message_policy(request.model) if wanted == "auto" else wanted
        ordered = apply_policy(messages, policy)
        if ordered != messages:
            changes["message_policy"] = policy.changes()
        messages = ordered
    if messages != request.messages:
        request = request.model_copy(update={"messages": messages})
    return PreparedMessages(asked, request, policy, changes)
