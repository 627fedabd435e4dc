"""A warning for a schema of which a server's grammar ignores something, once for each schema.

`{"type": "integer", "multipleOf": 5}` is taken by every server, and the answer may be 7. The answer is held against the
schema when it has come; the warning comes before, on the logger `vllm_connect`:

    the server's grammar does not hold the schema of response_format at $.multipleOf: the grammar may ignore it; …
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.tool_choice import is_forced, resolve_tool_choice
from vllm_connect.schema.lint import Finding, lint_schema
from vllm_connect.schema.rewrite import rewrite_schema

__all__ = ["warn_of_unsupported_keywords"]

logger = logging.getLogger("vllm_connect")

SHOWN = 5
"""Findings that a warning names; `lint_schema` lists all."""
LONGEST = 100
"""Characters of a path that are shown: it holds names that somebody chose."""
REMEMBERED = 1000
"""Schemas that are remembered; beyond these, all are forgotten."""


def warn_of_unsupported_keywords(request: ChatRequest, seen: set[int]) -> None:
    """Warn of each schema of a request that a grammar does not hold whole.

    Args:
        request: What is asked.
        seen: The schemas seen before; those of the request are added.
    """
    for name, schema in _schemas(request):
        key = hash(msgspec.json.encode(schema))
        if key in seen:
            continue
        if len(seen) >= REMEMBERED:
            seen.clear()
        seen.add(key)
        if unheld := _unheld(schema):
            logger.warning("the server's grammar does not hold the schema of %s at %s", name, _named(unheld))


def _schemas(request: ChatRequest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List the schemas that a grammar is made of, each with where it stands."""
    named = (request.response_format or {}).get("json_schema")
    if isinstance(named, Mapping) and isinstance(named.get("schema"), Mapping):
        yield "response_format", named["schema"]
    if request.structured_outputs is not None:
        schema = request.structured_outputs.model_dump(by_alias=True, exclude_none=True).get("json")
        schema = _read(schema) if isinstance(schema, str) else schema
        if isinstance(schema, Mapping):
            yield "structured_outputs", schema
    if request.tools:
        yield from _of_tools(request, request.tools)


def _read(schema: str) -> Any:
    try:
        return msgspec.json.decode(schema)
    except msgspec.DecodeError:
        return None  # the server says what is wrong with it


def _of_tools(request: ChatRequest, tools: list[dict[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    choice = resolve_tool_choice(request.tool_choice, tools)
    wanted = choice["function"]["name"] if isinstance(choice, dict) else None
    for tool in tools:
        function = tool.get("function") or {}
        forced = is_forced(choice) and wanted in (None, function.get("name"))
        if (forced or function.get("strict")) and isinstance(function.get("parameters"), Mapping):
            yield f"the tool {str(function.get('name'))[:LONGEST]!r}", function["parameters"]


def _unheld(schema: Mapping[str, Any]) -> list[Finding]:
    """List what is not held of what is sent, at its place in what was given."""
    given = lint_schema(schema)
    left = {finding.keyword for finding in lint_schema(rewrite_schema(schema))} if given else ()
    return [finding for finding in given if finding.keyword in left]


def _named(findings: list[Finding]) -> str:
    named = [f"{_printable(finding.path)}: {finding.advice}" for finding in findings[:SHOWN]]
    more = len(findings) - SHOWN
    return ", ".join([*named, f"and {more} more, which lint_schema names"] if more > 0 else named)


def _printable(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path[-LONGEST:])
