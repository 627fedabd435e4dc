"""How an answer is constrained, in the spelling of each server version.

`StructuredOutputs(choice=["a", "b"])` is sent as `{"structured_outputs": {"choice": ["a", "b"]}}`, to servers
before 0.11 as `{"guided_choice": ["a", "b"]}`, and to 0.11, which knows both, in the newer way. Since 0.12 the
older names are ignored without an error. A JSON schema alone goes as `response_format`, which every version
knows. Source: protocol.py of vLLM 0.8.5 to 0.33.0.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["StructuredOutputs", "constraint_body"]

KINDS = ("json_schema", "regex", "choice", "grammar", "structural_tag", "json_object")


class StructuredOutputs(BaseModel):
    """vLLM's own constraint: exactly one kind, and options for white space."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    json_schema: dict[str, Any] | str | None = Field(default=None, alias="json")
    """A JSON schema; `json` on the wire and as an argument."""
    regex: str | None = None
    """A regular expression."""
    choice: list[str] | None = Field(default=None, min_length=1)
    """The possible answers."""
    grammar: str | None = None
    """A context-free grammar, EBNF or Lark."""
    structural_tag: str | None = None
    """A structural tag, JSON text."""
    json_object: bool | None = None
    """Any JSON object."""
    disable_any_whitespace: bool | None = None
    """Forbid white space that JSON does not need, with which a weak model fills its budget."""
    disable_additional_properties: bool | None = None
    """Forbid properties that the schema does not name."""
    whitespace_pattern: str | None = None
    """Regular expression of the white space allowed in JSON."""

    @model_validator(mode="after")
    def _one_kind(self) -> "StructuredOutputs":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            given = ", ".join(kinds) or "none"
            raise ValueError(f"structured_outputs takes exactly one of {', '.join(KINDS)}; given: {given}")
        return self


OLDER = {
    "json": "guided_json",
    "regex": "guided_regex",
    "choice": "guided_choice",
    "grammar": "guided_grammar",
    "structural_tag": "structural_tag",
    "whitespace_pattern": "guided_whitespace_pattern",
}


def constraint_body(
    structured: StructuredOutputs | None,
    response_format: dict[str, Any] | None,
    version: tuple[int, int, int] | None,
) -> dict[str, Any]:
    """Spell the constraints of a request.

    Args:
        structured: vLLM's own constraint.
        response_format: OpenAI's, sent as it is.
        version: The server's version, None for the newest.

    Returns:
        The fields of the body.
    """
    body: dict[str, Any] = {} if response_format is None else {"response_format": response_format}
    if structured is None:
        return body
    fields = structured.model_dump(exclude_none=True, by_alias=True)
    if version is None or version >= (0, 11, 0):
        return {**body, "structured_outputs": fields}
    if fields.pop("json_object", None):
        body["response_format"] = {"type": "json_object"}
    return {**body, **{OLDER[name]: value for name, value in fields.items() if name in OLDER}}
