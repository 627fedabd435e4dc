r"""Constraints as structural tags, which leave a model room to reason first and little room for whitespace.

A server without `--reasoning-parser` applies a grammar from the first token on. A model that reasons first then fills its
answer with whitespace until the tokens are used up, and so does a weak model anywhere between two tokens of JSON. A structural
tag allows reasoning before the answer or none, and bounds the whitespace:

    {"type": "or", "elements": [answer, {"type": "sequence", "elements": [{"type": "tag", "begin": "<think>", ...}, answer]}]}

Source: `structural_tag` of vLLM 0.32.0 and 0.33.0; a server with a reasoning parser applies it after the reasoning.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from vllm_connect.parsing.forced_calls import MOST_WHITESPACE, answer_tag
from vllm_connect.parsing.reasoning import Reasoning
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.tool_choice import is_forced
from vllm_connect.response.completion import Completion
from vllm_connect.schema.rewrite import sendable_schema

__all__ = ["constraint_tag", "has_degenerated"]

LONG_WHITESPACE = re.compile(r"\s{16}")
"""More than JSON has between two tokens, unless it is deeply indented."""


def constraint_tag(request: ChatRequest, reasoning: Reasoning | None, *, starts_in_reasoning: bool) -> str | None:
    """Build the structural tag of a request's constraint.

    Args:
        request: The request.
        reasoning: The model's reasoning, which may precede the answer; None for none.
        starts_in_reasoning: Whether the prompt ends inside of it.

    Returns:
        The tag, JSON text; None if there is no constraint, or a structural tag cannot express it.
    """
    content = _content(request)
    return None if content is None else answer_tag([content], reasoning, starts_in_reasoning=starts_in_reasoning)


def _content(request: ChatRequest) -> dict[str, Any] | None:
    """Return the constraint as an element of a structural tag."""
    if request.response_format is not None:
        wanted = request.response_format
        named = wanted.get("json_schema") or {}
        schema = {"type": "object"} if wanted.get("type") == "json_object" else named.get("schema")
        return _of_schema(schema)
    given = {} if request.structured_outputs is None else request.structured_outputs.fields()
    if "json" in given:
        return _of_schema(_read(given["json"]))
    if given.get("json_object"):
        return _of_schema({"type": "object"})
    if "regex" in given:
        return {"type": "regex", "pattern": given["regex"]}
    if "choice" in given:
        return {"type": "or", "elements": [{"type": "const_string", "value": text} for text in given["choice"]]}
    return None


def _read(schema: dict[str, Any] | str) -> Any:
    try:
        return json.loads(schema) if isinstance(schema, str) else schema
    except (ValueError, RecursionError):
        return None  # the server reports what is wrong with it


def _of_schema(schema: Any) -> dict[str, Any] | None:
    if not isinstance(schema, dict):
        return None
    return {"type": "json_schema", "json_schema": sendable_schema(schema), "max_whitespace_cnt": MOST_WHITESPACE}


def has_degenerated(request: ChatRequest, answers: Sequence[Completion]) -> bool:
    """Check whether an answer shows that a grammar kept the model from writing what it would.

    Such an answer is truncated, and has more whitespace than JSON needs, which may be within the markup of a forced call, or
    is a forced call that never came.

    Args:
        request: The request.
        answers: Its answers.
    """
    return any(_has_degenerated(request, answer) for answer in answers)


def _has_degenerated(request: ChatRequest, answer: Completion) -> bool:
    if answer.finish_reason != "length" or answer.tool_calls or answer.invalid_tool_calls:
        return False
    if LONG_WHITESPACE.search(answer.text):
        return True
    return bool(is_forced(request.tool_choice) and request.tools) and not (answer.reasoning or answer.text.strip())
