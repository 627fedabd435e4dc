"""What a request's tools say about names and arguments.

`Tools([{"type": "function", "function": {"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}}}])` knows
that `f` is declared and that its `n` is an integer, which decides how `<parameter=n>42</parameter>` is read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vllm_connect.parsing.values import json_or_text, quote, typed
from vllm_connect.response.tool_arguments import ArgumentsError, read_arguments
from vllm_connect.schema.validate import SchemaError, find_violation

__all__ = ["Tools", "keyword", "schema_types"]


MAX_DEPTH = 16
"""Deeper than any schema of a parameter refers to others."""

UNIONS = ("anyOf", "oneOf", "allOf")


class Tools:
    """The tools of a request.

    Args:
        tools: The tools in OpenAI's shape; None where they are not known, and any name may be one.
    """

    def __init__(self, tools: Sequence[Mapping[str, Any]] | None) -> None:
        self.known = tools is not None
        self._parameters: dict[str, Mapping[str, Any]] = {}
        for tool in tools or ():
            function = tool.get("function") or tool
            if isinstance(function.get("name"), str):
                self._parameters[function["name"]] = function.get("parameters") or {}

    def declares(self, name: str) -> bool:
        """Tell whether a name may be called."""
        return not self.known or name in self._parameters

    def takes(self, name: str, key: str) -> bool:
        """Tell whether a tool declares a parameter."""
        return key in self._properties(name)

    def may_take(self, key: str) -> bool:
        """Tell whether some tool may have a parameter of a name."""
        return not self.known or any(key in self._properties(name) for name in self._parameters)

    def misfit(self, name: str, arguments: str) -> str | None:
        """Say why a call cannot be meant.

        Args:
            name: The tool's name.
            arguments: The arguments' JSON text.

        Returns:
            The reason; None if the tool is declared and the arguments fit its schema.
        """
        if not self.declares(name):
            return f"there is no tool {name!r}"
        try:
            value = read_arguments(arguments)
        except ArgumentsError as error:
            return str(error)
        try:
            return find_violation(value, self._parameters.get(name) or {})
        except SchemaError as error:
            return f"its schema is none: {error}"

    def typed(self, name: str, key: str, text: str) -> str:
        """Read a parameter that a format writes as bare text, by the type its schema declares.

        Args:
            name: The tool's name.
            key: The parameter's name.
            text: The text.

        Returns:
            JSON text of the value; a string where no type says otherwise.
        """
        schema = self._parameters.get(name, {})
        properties = self._properties(name)
        declared = properties.get(key)
        if declared is None:
            others = keyword(schema, "additionalProperties", schema)
            declared = others if isinstance(others, Mapping) else None
        if declared is None:
            return quote(text) if not properties and not self.known else json_or_text(text)
        return self.typed_by(declared, text, schema)

    def _properties(self, name: str) -> Mapping[str, Any]:
        schema = self._parameters.get(name, {})
        found = keyword(schema, "properties", schema)
        return found if isinstance(found, Mapping) else {}

    def schema(self, name: str) -> Mapping[str, Any]:
        """Give the schema of a tool's parameters; empty where it is not known."""
        return self._parameters.get(name, {})

    @staticmethod
    def typed_by(schema: Any, text: str, root: Mapping[str, Any] | None = None) -> str:
        """Read a text by a schema, as JSON text.

        Args:
            schema: The schema of the value.
            text: The text.
            root: The schema that its references point into.
        """
        return typed(text, schema_types(schema, root))


def schema_types(schema: Any, root: Mapping[str, Any] | None = None, depth: int = 0) -> frozenset[str]:
    """List the JSON types that a schema allows.

    Args:
        schema: The schema of one value.
        root: The schema that its references point into.
        depth: How many schemas it stands in.

    Returns:
        The types it names, empty where it names none.
    """
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return frozenset()
    found: set[str] = set()
    declared = schema.get("type")
    found.update([declared] if isinstance(declared, str) else [t for t in declared or () if isinstance(t, str)])
    if not declared:
        values = [*(schema.get("enum") or ()), *([schema["const"]] if "const" in schema else [])]
        found.update(_type_of(value) for value in values)
    reference = schema.get("$ref")
    if isinstance(reference, str) and root is not None:
        found |= schema_types(_resolved(reference, root), root, depth + 1)
    for union in UNIONS:
        for branch in schema.get(union) or ():
            found |= schema_types(branch, root, depth + 1)
    return frozenset(ALIASES.get(name, name) for name in found)


def keyword(schema: Any, word: str, root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """Find what a schema, or the first of its alternatives that has it, says by a keyword.

    Args:
        schema: The schema of one value.
        word: The keyword, `items`.
        root: The schema that its references point into.
        depth: How many schemas it stands in.
    """
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    if word in schema:
        return schema[word]
    reference = schema.get("$ref")
    inner = [_resolved(reference, root)] if isinstance(reference, str) and root is not None else []
    for union in UNIONS:
        inner += schema.get(union) or ()
    found = (keyword(branch, word, root, depth + 1) for branch in inner)
    return next((value for value in found if value is not None), None)


ALIASES = {
    "str": "string",
    "text": "string",
    "enum": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "dict": "object",
    "list": "array",
}
"""Names of types that are not JSON Schema's but are met in tools."""


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _type_of(value: Any) -> str:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")
