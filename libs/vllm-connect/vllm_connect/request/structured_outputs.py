"""Constraints of an answer, in the names of each server version.

`StructuredOutputs(choice=["a", "b"])` is sent as `{"structured_outputs": {"choice": ["a", "b"]}}`, to servers
before 0.11 as `{"guided_choice": ["a", "b"]}`, and to 0.11, which supports both, under the newer name. Since 0.12 the
older names are ignored without an error. A JSON schema in `response_format` is supported by every version.
Source: protocol.py of vLLM 0.8.5 to 0.33.0.
"""

import difflib
import json
import warnings
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vllm_connect.config.validation import callers_stacklevel, refuse_unknown
from vllm_connect.errors import ConfigurationError
from vllm_connect.request.server_versions import Version, has_feature
from vllm_connect.schema.rewrite import sendable_schema

__all__ = ["OLDER_NAMES", "StructuredOutputs", "constraint_fields", "translate_older"]

KINDS = ("json_schema", "regex", "choice", "grammar", "structural_tag", "json_object")


class StructuredOutputs(BaseModel):
    """vLLM's own constraint: exactly one kind, and options for whitespace."""

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
    """Forbid whitespace that JSON does not need. vLLM 0.32 ignores it in a request, as it does `whitespace_pattern`:
    `--structured-outputs-config` of the server decides."""
    disable_additional_properties: bool | None = None
    """Forbid properties that the schema does not name."""
    whitespace_pattern: str | None = None
    """Regular expression of the whitespace allowed in JSON."""

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            refuse_unknown((str(name) for name in given), (*cls.model_fields, "json"))
        return given

    @field_validator("json_schema", "structural_tag")
    @classmethod
    def _is_json(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                json.loads(value)
            except (ValueError, RecursionError) as error:
                problem = f"it is not JSON: {str(error).partition(': ')[0]}"
            else:
                return value
            raise ValueError(problem)
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> "StructuredOutputs":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            given = ", ".join(kinds) or "none"
            raise ValueError(f"structured_outputs accepts exactly one of {', '.join(KINDS)}; given: {given}")
        return self

    def fields(self) -> dict[str, Any]:
        """Return what was given, under the names of the wire."""
        return self.model_dump(by_alias=True, exclude_none=True)


OLDER = {
    "json": "guided_json",
    "regex": "guided_regex",
    "choice": "guided_choice",
    "grammar": "guided_grammar",
    "structural_tag": "structural_tag",
    "whitespace_pattern": "guided_whitespace_pattern",
}


def constraint_fields(
    structured: StructuredOutputs | None,
    response_format: dict[str, Any] | None,
    version: Version | None,
) -> dict[str, Any]:
    """Convert the constraints of a request into fields of its body.

    Args:
        structured: vLLM's own constraint.
        response_format: OpenAI's, sent as it is.
        version: The server's version, None for the newest.

    Returns:
        The fields of the body.
    """
    body: dict[str, Any] = {} if response_format is None else {"response_format": _rewritten(response_format)}
    if structured is None:
        return body
    fields = structured.fields()
    if isinstance(fields.get("json"), dict):
        fields["json"] = sendable_schema(fields["json"])
    if has_feature(version, "structured_outputs"):
        return {**body, "structured_outputs": fields}
    if fields.pop("json_object", None):
        body["response_format"] = {"type": "json_object"}
    return {**body, **{OLDER[name]: value for name, value in fields.items() if name in OLDER}}


def _rewritten(response_format: dict[str, Any]) -> dict[str, Any]:
    named = response_format.get("json_schema")
    if not isinstance(named, dict) or not isinstance(named.get("schema"), dict):
        return response_format
    return {**response_format, "json_schema": {**named, "schema": sendable_schema(named["schema"])}}


OLDER_NAMES = {
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "guided_json_object": "json_object",
    "guided_whitespace_pattern": "whitespace_pattern",
    "guided_decoding_backend": None,
}
"""Names before vLLM 0.12, which later servers ignore, and their successors; the server chooses the backend now."""


def translate_older(fields: dict[str, Any]) -> dict[str, Any]:
    """Translate constraints with names of older servers into `structured_outputs`.

    Args:
        fields: The fields of a request, `extra_body` among them; they are not changed.

    Returns:
        The fields in today's names.

    Raises:
        ConfigurationError: A name looks like one of them and is not.
    """
    extra = fields.get("extra_body")
    places = [fields, extra] if isinstance(extra, dict) else [fields]
    found = {name: place[name] for place in places for name in place if name.startswith("guided_")}
    if not found:
        return fields
    for name in found:
        if name not in OLDER_NAMES:
            near = difflib.get_close_matches(name, OLDER_NAMES, n=1, cutoff=0.0)[0]
            raise ConfigurationError(
                f"{name} constrains nothing on any server; did you mean structured_outputs={{{OLDER_NAMES[near]!r}: ...}}?"
            )
    now = {OLDER_NAMES[name]: value for name, value in found.items() if OLDER_NAMES[name] and value is not None}
    warnings.warn(
        f"{', '.join(sorted(found))}: servers since vLLM 0.12 ignore this; it is sent as structured_outputs={{...}}, "
        "write that instead",
        DeprecationWarning,
        stacklevel=callers_stacklevel(),
    )
    out = {name: value for name, value in fields.items() if name not in found}
    if isinstance(extra, dict):
        out["extra_body"] = {name: value for name, value in extra.items() if name not in found} or None
    if now:
        out["structured_outputs"] = now
    return out
