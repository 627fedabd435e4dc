"""Conversations in the order of roles that a model's chat template accepts.

Many templates refuse a conversation that others accept: a system message that is not the first, two user turns in a row, a
system message at all, content in parts. The server answers 400 with the template's message, such as
`Conversation roles must alternate user/assistant/user/assistant/...`. A `MessagePolicy` says what to change, and is learned
from that message. A change is the same on every turn, so that older turns stay as they were and the server's prefix cache
hits. Source: the templates of the families in profiles.py and vLLM's issues about them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from vllm_connect.conversation.split_tool_calls import split_turns
from vllm_connect.conversation.tool_call_ids import number_tool_call_ids, shorten_tool_call_ids

__all__ = ["UNCHANGED", "MessagePolicy", "apply_policy", "learned_policies"]

Message = dict[str, Any]


class MessagePolicy(BaseModel):
    """What to change in a conversation before it is sent; the defaults change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    developer: Literal["keep", "system"] = "keep"
    """Send developer messages as system messages."""
    merge_leading_systems: bool = False
    """Merge the system messages at the beginning of the conversation."""
    late_systems: Literal["keep", "user"] = "keep"
    """Send a later system message as a user turn, marked `[system]`."""
    system: Literal["keep", "first_user"] = "keep"
    """Prepend the leading system message to the first user turn, for templates without a system role."""
    alternate: bool = False
    """Merge consecutive turns of the same role; a user turn after a tool result is merged into it, and an empty user turn is
    added before an assistant turn that begins the conversation."""
    flat_content: bool = False
    """Join content that is a list of texts into one string."""
    tool_media: Literal["keep", "user"] = "keep"
    """Move images and other media of a tool's result into a user turn after the results."""
    split_tool_calls: bool = False
    """Split a turn with several calls into turns of one call, each with its result, for templates that accept one call in a
    turn."""
    tool_call_ids: Literal["keep", "short", "numbered"] = "keep"
    """Replace the ids of calls that are not nine letters and digits (`short`), or not `functions.<name>:<number>`
    (`numbered`)."""

    def changes(self) -> list[str]:
        """List what the policy changes, for the answer's metadata."""
        return [name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default]


SYSTEM_MARK = "[system] "

UNCHANGED = MessagePolicy()

COMPLAINTS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("system message must be at the beginning", "system message can only be", "system messages must be"),
        {"merge_leading_systems": True, "late_systems": "user", "developer": "system"},
    ),
    (
        ("roles must alternate", "must alternate between user and assistant", "after the optional system message"),
        {"alternate": True, "merge_leading_systems": True, "late_systems": "user", "developer": "system"},
    ),
    (
        ("system role not supported", "system role is not supported", "system messages are not supported"),
        {"system": "first_user", "merge_leading_systems": True, "late_systems": "user", "developer": "system"},
    ),
    (
        (
            "unexpected message role",
            "unknown role",
            "unexpected role",
            "only user, assistant",
            "only user and assistant",
        ),
        {"developer": "system", "late_systems": "user", "merge_leading_systems": True},
    ),
    (
        (
            "supported in user messages only",
            "only supports text content",
            "only support text content",
            "only supported in user messages",
            "images are not supported in tool",
        ),
        {"tool_media": "user"},
    ),
    # A template that wants strings complains about media in a tool result as it does about any list.
    (
        ('can only concatenate str (not "list") to str', "content must be a string", "can only concatenate str (not"),
        {"flat_content": True, "tool_media": "user"},
    ),
    (("only supports single tool-calls at once",), {"split_tool_calls": True}),
    (("tool call ids should be alphanumeric strings with length 9",), {"tool_call_ids": "short"}),
)
"""What chat templates complain about, in lower case, and what of a policy to change."""


ALTERNATION = "roles must alternate"
IMPLIED: tuple[dict[str, Any], ...] = ({"system": "first_user"}, {"split_tool_calls": True})
"""What else a template may mean that asks for alternation: it counts a system message, or each of several results."""


def learned_policies(policy: MessagePolicy, complaint: str) -> Iterator[MessagePolicy]:
    """Find policies that a chat template's complaint asks for.

    Args:
        policy: The policy in force.
        complaint: The text of the server's 400.

    Yields:
        Policies that change more, the likeliest first; none where the text is not known.
    """
    text = complaint.lower()
    learned = policy
    for phrases, changes in COMPLAINTS:
        if any(phrase in text for phrase in phrases):
            learned = learned.model_copy(update=changes)
    further = [learned.model_copy(update=changes) for changes in IMPLIED] if ALTERNATION in text else []
    yield from (candidate for candidate in (learned, *further) if candidate != policy)


def apply_policy(messages: Sequence[Message], policy: MessagePolicy) -> list[Message]:
    """Apply a policy to a conversation.

    Args:
        messages: Wire messages; they are not changed.
        policy: What to change.

    Returns:
        The messages to send.
    """
    out = list(messages)
    if policy.developer == "system":
        out = [{**m, "role": "system"} if m.get("role") == "developer" else m for m in out]
    if policy.tool_media == "user":
        out = _media_moved(out)
    if policy.merge_leading_systems:
        out = _leading_merged(out)
    if policy.late_systems == "user":
        out = _late_marked(out)
    if policy.system == "first_user":
        out = _system_folded(out)
    if policy.alternate:
        out = _alternating(out)
    if policy.split_tool_calls:
        out = split_turns(out)
    if policy.tool_call_ids == "short":
        out = shorten_tool_call_ids(out)
    elif policy.tool_call_ids == "numbered":
        out = number_tool_call_ids(out)
    if policy.flat_content:
        out = [_flat(message) for message in out]
    return out


def _leading(messages: Sequence[Message]) -> int:
    return next((at for at, message in enumerate(messages) if message.get("role") != "system"), len(messages))


def _leading_merged(messages: list[Message]) -> list[Message]:
    count = _leading(messages)
    if count < 2:  # noqa: PLR2004 - one is one
        return messages
    merged = messages[0]
    for message in messages[1:count]:
        merged = _joined(merged, message)
    return [merged, *messages[count:]]


def _late_marked(messages: list[Message]) -> list[Message]:
    count = max(_leading(messages), 1)
    return messages[:count] + [
        {**m, "role": "user", "content": _prefixed(SYSTEM_MARK, m.get("content"))} if m.get("role") == "system" else m
        for m in messages[count:]
    ]


def _system_folded(messages: list[Message]) -> list[Message]:
    count = _leading(messages)
    if not count:
        return messages
    system = messages[0]
    for message in messages[1:count]:
        system = _joined(system, message)
    rest = messages[count:]
    if rest and rest[0].get("role") == "user":
        return [{**rest[0], "content": _content(system.get("content"), rest[0].get("content"))}, *rest[1:]]
    return [{**system, "role": "user"}, *rest]


def _alternating(messages: list[Message]) -> list[Message]:
    out: list[Message] = []
    for message in messages:
        role = message.get("role")
        if role == "assistant" and all(before.get("role") == "system" for before in out):
            out.append({"role": "user", "content": ""})
        if out and role in ("user", "assistant") and out[-1].get("role") == role:
            out[-1] = _joined(out[-1], message)
        elif out and role == "user" and out[-1].get("role") == "tool":
            out[-1] = _joined(out[-1], _marked_as_users(message))
        else:
            out.append(message)
    return out


def _marked_as_users(message: Message) -> Message:
    content = message.get("content")
    marked = isinstance(content, str) and content.startswith(SYSTEM_MARK)
    return message if marked else {**message, "content": _prefixed("[user] ", content)}


def _media_moved(messages: list[Message]) -> list[Message]:
    out: list[Message] = []
    media: list[Any] = []
    for message in messages:
        content = message.get("content")
        if message.get("role") == "tool" and isinstance(content, list):
            media += [part for part in content if not _is_text(part)]
            out.append({**message, "content": [part for part in content if _is_text(part)] or ""})
            continue
        if media and message.get("role") != "tool":
            out.append({"role": "user", "content": media})
            media = []
        out.append(message)
    return [*out, {"role": "user", "content": media}] if media else out


def _joined(first: Message, second: Message) -> Message:
    """Merge two messages; the second speaker's name is put into the text."""
    joined = {**first, **{name: value for name, value in second.items() if name not in first and name != "name"}}
    other = second.get("content")
    if second.get("name") and second["name"] != first.get("name"):
        other = _prefixed(f"[{second['name']}] ", other)
    joined["content"] = _content(first.get("content"), other)
    if first.get("reasoning") and second.get("reasoning"):
        joined["reasoning"] = f"{first['reasoning']}\n\n{second['reasoning']}"
    if first.get("tool_calls") and second.get("tool_calls"):
        joined["tool_calls"] = [*first["tool_calls"], *second["tool_calls"]]
    return joined


def _content(one: Any, other: Any) -> Any:
    """Join two contents, a blank line between their texts."""
    if isinstance(one, list) or isinstance(other, list):
        return [*_parts(one), *_parts(other)]
    return "\n\n".join(text for text in (one, other) if text) if one or other else (one or other)


def _parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _prefixed(mark: str, content: Any) -> Any:
    return [{"type": "text", "text": mark.strip()}, *content] if isinstance(content, list) else f"{mark}{content or ''}"


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and part.get("type") == "text")


def _flat(message: Message) -> Message:
    content = message.get("content")
    if not isinstance(content, list) or not all(map(_is_text, content)):
        return message
    texts = [part if isinstance(part, str) else part.get("text") or "" for part in content]
    return {**message, "content": "\n".join(texts)}
