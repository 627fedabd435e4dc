"""A turn with several tool calls, split into turns of one call each.

Llama 3's template refuses a turn with two calls, on every later turn too:

    assistant(a, b), tool(a), tool(b)  ->  assistant(a), tool(a), assistant(b), tool(b)

Source: the chat template of meta-llama/Llama-3.1-8B-Instruct, `This model only supports single tool-calls at once!`.
"""

from collections.abc import Sequence
from typing import Any

__all__ = ["split_turns"]

Message = dict[str, Any]


def split_turns(messages: Sequence[Message]) -> list[Message]:
    """Split every turn with several calls.

    Args:
        messages: Wire messages; they are not changed.

    Returns:
        The messages, none with more than one call. Text and reasoning stay with the first; results whose call is not in
        the turn come after the others.
    """
    out: list[Message] = []
    results: list[Message] = []
    calling: Message | None = None
    for message in messages:
        if calling is not None and message.get("role") == "tool":
            results.append(message)
            continue
        if calling is not None:
            out += _split(calling, results)
            calling, results = None, []
        if len(message.get("tool_calls") or ()) > 1:
            calling = message
        else:
            out.append(message)
    return out if calling is None else out + _split(calling, results)


def _split(calling: Message, results: Sequence[Message]) -> list[Message]:
    out: list[Message] = []
    left = list(results)
    for index, call in enumerate(calling["tool_calls"]):
        out.append({**(calling if index == 0 else {"role": "assistant", "content": ""}), "tool_calls": [call]})
        mine = [result for result in left if result.get("tool_call_id") == call.get("id")]
        left = [result for result in left if result.get("tool_call_id") != call.get("id")]
        out += mine
    return out + left
