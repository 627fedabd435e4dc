"""A constraint in the prompt, for models that write better when they see what is enforced.

A grammar only forbids words; what the fields are called and described, the model does not know. With `show_schema=True`
the system message ends in "Answer with JSON that fits this JSON schema, and with nothing else:" and the schema.
The words are the same for each call, so the server's prefix cache keeps hitting.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["show_constraint"]


def show_constraint(
    messages: Sequence[dict[str, Any]], structured: Mapping[str, Any], response_format: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Say in the conversation what the answer must be.

    Args:
        messages: The conversation, in OpenAI's shape; it is not changed.
        structured: The fields of `structured_outputs`, empty for none.
        response_format: OpenAI's constraint.

    Returns:
        The conversation, its first system message longer, or a new one before it.
    """
    words = _words(structured, response_format or {})
    if words is None:
        return list(messages)
    first = messages[0] if messages else {}
    if first.get("role") not in ("system", "developer"):
        return [{"role": "system", "content": words}, *messages]
    content = first.get("content") or ""
    longer = f"{content}\n\n{words}" if isinstance(content, str) else [*content, {"type": "text", "text": words}]
    return [{**first, "content": longer}, *messages[1:]]


def _words(structured: Mapping[str, Any], response_format: Mapping[str, Any]) -> str | None:
    named = response_format.get("json_schema")
    schema = structured.get("json") or (named.get("schema") if isinstance(named, Mapping) else None)
    if schema:
        text = schema if isinstance(schema, str) else json.dumps(schema, ensure_ascii=False)
        return f"Answer with JSON that fits this JSON schema, and with nothing else:\n{text}"
    if structured.get("json_object") or response_format.get("type") == "json_object":
        return "Answer with one JSON object, and with nothing else."
    if structured.get("choice"):
        return "Answer with one of these, and with nothing else:\n" + "\n".join(structured["choice"])
    if structured.get("regex"):
        return f"Answer with a text that matches this regular expression, and with nothing else:\n{structured['regex']}"
    if structured.get("grammar"):
        return f"Answer with a text of this grammar, and with nothing else:\n{structured['grammar']}"
    return None
