"""The constraint of an answer, shown to the model in the prompt.

A grammar only forbids tokens; the model does not see the names and descriptions of the fields. With `show_schema=True`
the system message ends in "Answer with JSON that fits this JSON schema, and with nothing else:" and the schema.
The text is the same for every call, so the server's prefix cache hits.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["show_constraint"]


def show_constraint(
    messages: Sequence[dict[str, Any]], structured: Mapping[str, Any], response_format: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Add a description of the constraint to the conversation.

    Args:
        messages: The conversation, in OpenAI's shape; it is not changed.
        structured: The fields of `structured_outputs`, empty for none.
        response_format: OpenAI's constraint.

    Returns:
        The conversation, its first system message longer, or a new one before it.
    """
    description = _description(structured, response_format or {})
    if description is None:
        return list(messages)
    first = messages[0] if messages else {}
    if first.get("role") not in ("system", "developer"):
        return [{"role": "system", "content": description}, *messages]
    content = first.get("content") or ""
    longer = (
        f"{content}\n\n{description}" if isinstance(content, str) else [*content, {"type": "text", "text": description}]
    )
    return [{**first, "content": longer}, *messages[1:]]


def _description(structured: Mapping[str, Any], response_format: Mapping[str, Any]) -> str | None:
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
