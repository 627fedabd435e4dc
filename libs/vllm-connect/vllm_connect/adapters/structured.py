"""Structured output: the constraint that is sent, and what is wrong with an answer that does not satisfy it.

`json_schema_format("City", {"type": "object", …})` is `{"type": "json_schema", "json_schema": {"name": "City", "schema":
{…}}}`. Source: the structured outputs of vLLM 0.32.0; OpenAI's schema names have at most 64 letters, digits, `-` and `_`.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from vllm_connect.errors import ConfigurationError, ConstraintError

__all__ = [
    "Problem",
    "StructuredOutputError",
    "is_response_format",
    "json_schema_format",
    "response_format",
    "schema_name",
    "strip_code_fence",
    "structured_output_problem",
    "validation_details",
]

MAX_NAME_LENGTH = 64
FENCE = "```"

RESPONSE_FORMATS = frozenset({"json_object", "json_schema", "structural_tag", "text"})
"""The types of a `response_format`, which a JSON schema cannot have."""


class StructuredOutputError(ConstraintError, ValueError):
    """The answer does not match the schema; `code` is `truncated`, `empty` or `schema`, and `partial` is the answer."""

    code = "schema"


# The request


def schema_name(title: str) -> str:
    """Convert a title to a name that servers accept: other characters become `_`, and 64 are kept."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", title)[:MAX_NAME_LENGTH]


def json_schema_format(title: str, schema: Mapping[str, Any], *, strict: bool | None = None) -> dict[str, Any]:
    """Build the `response_format` of a JSON schema.

    Args:
        title: What the schema is called; `schema_name` is applied.
        schema: The JSON schema.
        strict: The value of `strict`, which is left out if None.
    """
    named: dict[str, Any] = {"name": schema_name(title), "schema": dict(schema)}
    if strict is not None:
        named["strict"] = strict
    return {"type": "json_schema", "json_schema": named}


def is_response_format(value: object) -> bool:
    """Check whether a value is a `response_format`, and not a JSON schema."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    return isinstance(kind, str) and kind in RESPONSE_FORMATS


def response_format(value: Any, *, strict: bool | None = None) -> dict[str, Any]:
    """Build a `response_format` from what programs pass as one.

    Args:
        value: A `response_format`, or a pydantic class.
        strict: As for `json_schema_format`; a `response_format` is returned unchanged.

    Raises:
        ConfigurationError: The value is neither.
    """
    if isinstance(value, type) and issubclass(value, BaseModel):
        schema = value.model_json_schema()
        return json_schema_format(schema.get("title") or value.__name__, schema, strict=strict)
    if is_response_format(value):
        return dict(value)
    raise ConfigurationError(
        f"response_format must be a pydantic class or a dict with a type of {', '.join(sorted(RESPONSE_FORMATS))}"
    )


# The answer


def strip_code_fence(text: str) -> str:
    """Remove the Markdown code fence that a model may put around JSON."""
    stripped = text.lstrip()
    if not stripped.startswith(FENCE):
        return text
    start, newline, inside = stripped.partition("\n")
    if not newline or start.rstrip() not in (FENCE, f"{FENCE}json"):
        return text
    return inside.rstrip().removesuffix(FENCE)


def validation_details(error: ValueError) -> str:
    """List what a validation error says, without the values of the answer."""
    if not isinstance(error, ValidationError):
        return str(error)
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(": ".join(filter(None, (".".join(map(str, p["loc"])), p["msg"]))) for p in problems)


class Problem(NamedTuple):
    """Why an answer cannot be used.

    Attributes:
        code: `truncated`, `empty` or `schema`.
        message: The same in words, with what to do next.
    """

    code: str
    message: str


def structured_output_problem(
    name: str, text: str, details: str, *, finish_reason: str | None = None, reasoning: str = ""
) -> Problem:
    """Explain why an answer is not an object of a schema.

    Args:
        name: What the schema is called.
        text: The answer's text, or the arguments of its tool call.
        details: What the parser or the validator says.
        finish_reason: Why the model stopped.
        reasoning: The answer's reasoning.
    """
    if finish_reason == "length":
        return Problem(
            "truncated",
            f"the answer was truncated by max_tokens before it was a complete {name}: raise max_tokens, or lower the "
            "reasoning effort",
        )
    if not text.strip():
        cause = (
            "all of it is reasoning: check that the server's --reasoning-parser is the one of this model"
            if reasoning
            else "ask again, or look at the raw answer"
        )
        return Problem("empty", f"the answer is empty, expected {name}; {cause}")
    return Problem(
        "schema",
        f"the answer does not match the schema of {name}: {details}; the server did not enforce the schema, or the class "
        "requires more than its schema says",
    )
