r"""Repair of the tool calls in a conversation, so that every server and chat template accepts them.

Servers parse the arguments of every historical call, and arguments that are not a JSON object fail the conversation on
every later turn, too. A result without its call, or a call without its result, is refused by many templates:

    {"function": {"name": "f", "arguments": "{\"a\": "}}  ->  {"invalid_arguments": "{\"a\": "}

Nothing that the model or a tool wrote is lost. Source: chat_utils.py of vLLM 0.8.5 to 0.32.0.
"""

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["repair_history"]

Message = dict[str, Any]
NO_RESULT = "The call has no result."
SHOWN = 64
"""Characters of an id that a note shows; a model or a server chose it."""
WITHOUT_CALL = "Result of a tool call that is not in this conversation:"


def repair_history(messages: Sequence[Message]) -> tuple[list[Message], list[str]]:
    """Repair the tool calls of a conversation.

    Args:
        messages: Wire messages; they are not changed.

    Returns:
        The messages to send, and a note on each repair, which names calls by their ids and shows nothing of them.
    """
    out: list[Message] = []
    notes: list[str] = []
    waiting: list[str] = []  # ids of calls without a result so far
    moved: set[int] = set()  # old positions of results that were moved behind their calls
    orphans: list[Message] = []  # results without a call, which stand behind all results of their turn
    messages = [_with_tools(message) for message in messages]
    for at, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            if at not in moved:
                (out if _is_expected(message, waiting) else orphans).append(message)
            continue
        if waiting:
            moved |= _late_results(messages, at, out, waiting, notes)
        _answer_missing(out, waiting, notes)
        _add_orphans(out, orphans, notes)
        if "tool_calls" in message:
            message = _with_repaired_calls(message, notes)  # noqa: PLW2901 - the message, repaired
            waiting = [str(call.get("id") or "") for call in message.get("tool_calls") or ()]
        out.append(message)
    _add_orphans(out, orphans, notes)
    return out, notes


def _is_expected(result: Message, waiting: list[str]) -> bool:
    """Check whether a result belongs to a call that waits for one, and note that it has arrived."""
    called = str(result.get("tool_call_id") or "")
    if called not in waiting:
        return False
    waiting.remove(called)
    return True


def _add_orphans(out: list[Message], orphans: list[Message], notes: list[str]) -> None:
    """Add results without a call as user turns."""
    for result in orphans:
        called = str(result.get("tool_call_id") or "")
        notes.append(f"the result of {called[:SHOWN]!r} has no call before it and is sent as a user turn")
        content = result.get("content")
        text = [{"type": "text", "text": WITHOUT_CALL}, *content] if isinstance(content, list) else None
        out.append({"role": "user", "content": text or f"{WITHOUT_CALL}\n{content or ''}"})
    orphans.clear()


def _late_results(
    messages: Sequence[Message], at: int, out: list[Message], waiting: list[str], notes: list[str]
) -> set[int]:
    """Move later results behind their calls, unless a later call has the same id; return their old positions."""
    found = set()
    for position in range(at, len(messages)):
        message = messages[position]
        called = str(message.get("tool_call_id") or "") if message.get("role") == "tool" else None
        if called is not None and called in waiting:
            waiting.remove(called)
            notes.append(f"the result of {called[:SHOWN]!r} came late and is moved behind its call")
            out.append(message)
            found.add(position)
        again = [str(call.get("id") or "") for call in message.get("tool_calls") or ()]
        if not waiting or not set(again).isdisjoint(waiting):
            break
    return found


def _answer_missing(out: list[Message], waiting: list[str], notes: list[str]) -> None:
    for called in waiting:
        notes.append(f"the call {called[:SHOWN]!r} has no result and gets a placeholder")
        out.append({"role": "tool", "tool_call_id": called, "content": NO_RESULT})
    waiting.clear()


def _with_tools(message: Message) -> Message:
    """Convert OpenAI's deprecated `function_call`, and the result of one, into a tool call and its result."""
    if message.get("role") == "function":
        return {"role": "tool", "tool_call_id": message.get("name") or "", "content": message.get("content")}
    function = message.get("function_call")
    if not isinstance(function, dict):
        return message
    rest = {name: value for name, value in message.items() if name != "function_call"}
    calls = message.get("tool_calls") or [{"id": function.get("name"), "type": "function", "function": function}]
    return {**rest, "tool_calls": calls}


def _with_repaired_calls(message: Message, notes: list[str]) -> Message:
    calls = message.get("tool_calls")
    if not calls:
        return {name: value for name, value in message.items() if name != "tool_calls"}
    repaired = [_repaired_call(call, notes) for call in calls]
    if all(new is old for new, old in zip(repaired, calls, strict=True)):
        return message
    return {**message, "tool_calls": repaired}


def _repaired_call(call: Any, notes: list[str]) -> Any:
    function = call.get("function") or {}
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        if _is_object(arguments):
            return call
        if arguments.strip() in ("", "null"):
            text = "{}"
        else:
            notes.append(
                f"the arguments of {str(call.get('id'))[:SHOWN]!r} are not a JSON object and are sent as text inside of one"
            )
            text = json.dumps({"invalid_arguments": arguments}, ensure_ascii=False)
    else:
        text = json.dumps(arguments if isinstance(arguments, dict) else {}, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": text}}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
