"""Checks of the schemas of a request before it is sent, once for each schema.

`{"type": "integer", "multipleOf": 5}` is accepted by every server, and the answer may be 7. The answer is validated when it
is complete; the warning comes before, on the logger `vllm_connect`:

    the server's grammar does not enforce the schema of response_format at $.multipleOf: the grammar may ignore it; …

A reference that leads nowhere is an error, since the server's own message names neither the schema nor the reference.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from vllm_connect.errors import ConfigurationError
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.json_values import encode_json
from vllm_connect.request.tool_choice import is_forced
from vllm_connect.schema.lint import Finding, lint_schema
from vllm_connect.schema.references import dangling_references
from vllm_connect.schema.rewrite import rewrite_schema

__all__ = ["check_schemas"]

logger = logging.getLogger("vllm_connect")

SHOWN = 5
"""Findings that a warning names; `lint_schema` lists all of them."""
LONGEST = 100
"""Characters of a path that are shown: it has names from the caller's schema."""
REMEMBERED = 1000
"""Schemas that are remembered; beyond these, all are forgotten."""


def check_schemas(request: ChatRequest, seen: set[int]) -> None:
    """Check each new schema of a request, and log a warning for one that a grammar does not enforce completely.

    Args:
        request: The request, normalized.
        seen: Hashes of the schemas seen before; those of the request are added.

    Raises:
        ConfigurationError: A schema refers to what it does not contain.
    """
    for name, schema in _schemas(request):
        key = hash(encode_json(schema)[0])
        if key in seen:
            continue
        if dangling := dangling_references(schema):
            path, reference = (_printable(text) for text in dangling[0])
            raise ConfigurationError(
                f"the schema of {name} refers to {reference!r} at {path}, which it does not contain: "
                "add the definition to its $defs, or inline it"
            )
        if len(seen) >= REMEMBERED:
            seen.clear()
        seen.add(key)
        if unsupported := _unsupported(schema):
            logger.warning("the server's grammar does not enforce the schema of %s at %s", name, _named(unsupported))


def _schemas(request: ChatRequest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List the schemas that become grammars, each with its place in the request."""
    named = (request.response_format or {}).get("json_schema")
    if isinstance(named, Mapping) and isinstance(named.get("schema"), Mapping):
        yield "response_format", named["schema"]
    if request.structured_outputs is not None:
        schema = request.structured_outputs.fields().get("json")
        schema = _read(schema) if isinstance(schema, str) else schema
        if isinstance(schema, Mapping):
            yield "structured_outputs", schema
    if request.tools:
        yield from _of_tools(request, request.tools)


def _read(schema: str) -> Any:
    try:
        return msgspec.json.decode(schema)
    except msgspec.DecodeError:
        return None  # the server reports what is wrong with it


def _of_tools(request: ChatRequest, tools: list[dict[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    choice = request.tool_choice
    wanted = choice["function"]["name"] if isinstance(choice, dict) else None
    for tool in tools:
        function = tool.get("function") or {}
        forced = is_forced(choice) and wanted in (None, function.get("name"))
        if (forced or function.get("strict")) and isinstance(function.get("parameters"), Mapping):
            yield f"the tool {str(function.get('name'))[:LONGEST]!r}", function["parameters"]


def _unsupported(schema: Mapping[str, Any]) -> list[Finding]:
    """List the keywords that are not enforced, at their places in the schema that was given."""
    given = lint_schema(schema)
    left = {finding.keyword for finding in lint_schema(rewrite_schema(schema))} if given else ()
    return [finding for finding in given if finding.keyword in left]


def _named(findings: list[Finding]) -> str:
    named = [f"{_printable(finding.path)}: {finding.advice}" for finding in findings[:SHOWN]]
    more = len(findings) - SHOWN
    return ", ".join([*named, f"and {more} more, which lint_schema lists"] if more > 0 else named)


def _printable(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path[-LONGEST:])
