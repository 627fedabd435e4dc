"""What a request's tools declare: their names, and the schemas of their arguments.

`Tools([{"type": "function", "function": {"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}}}])` declares
`f`, and that its `n` is an integer, which decides how `<parameter=n>42</parameter>` is read.
"""

import re
from collections.abc import Mapping, Sequence, Set as AbstractSet
from json import loads
from typing import Any

from vllm_connect.parsing.values import coerced, json_or_text, quote, verbatim
from vllm_connect.response.tool_arguments import ArgumentsError, read_arguments
from vllm_connect.schema.validate import SchemaError, find_violation

__all__ = ["Tools", "json_for", "keyword", "schema_types"]


MAX_DEPTH = 16
"""The depth of references at which a schema is read no further."""

WRAPPERS = frozenset({"arguments", "input", "parameters", "args", "kwargs", "properties"})
"""Names under which models write all arguments of a call as one object."""

NAMESPACES = ("functions.", "function.", "tools.", "tool.")
"""What models put before a tool's name."""

_MARKER = re.compile(r"<[|｜]")
_NUMBER = re.compile(r":\d{1,9}\Z")

UNIONS = ("anyOf", "oneOf", "allOf")


class Tools:
    """The tools of a request.

    Args:
        tools: The tools in OpenAI's format; None if they are not known, and any name may be called.
    """

    def __init__(self, tools: Sequence[Mapping[str, Any]] | None) -> None:
        self.known = tools is not None
        self._parameters: dict[str, Mapping[str, Any]] = {}
        for tool in tools or ():
            function = tool.get("function") or tool
            if isinstance(function.get("name"), str):
                self._parameters[function["name"]] = function.get("parameters") or {}

    def declares(self, name: str) -> bool:
        """Check whether a tool of that name may be called."""
        return not self.known or name in self._parameters

    def declared_name(self, name: str) -> str:
        """Return the declared name that a damaged one means: `search` for `functions.search<|channel|>commentary`.

        Args:
            name: A tool's name, as the model wrote it or a server passed it on.

        Returns:
            The name that is left without markers, namespace and number if that is declared; the name itself if not.
        """
        if not self.known or name in self._parameters:
            return name
        cleaned = _NUMBER.sub("", _MARKER.split(name)[0].strip())
        for namespace in NAMESPACES:
            cleaned = cleaned.removeprefix(namespace)
        return cleaned if cleaned in self._parameters else name

    def has_parameter(self, name: str, key: str) -> bool:
        """Check whether a tool declares a parameter."""
        return key in self._properties(name)

    def is_definition(self, name: str, arguments: str) -> bool:
        """Check whether the arguments are the schema of a tool, which a model lists, and not those of a call."""
        return '"properties"' in arguments and '"type"' in arguments and not self.has_parameter(name, "properties")

    def any_has_parameter(self, key: str) -> bool:
        """Check whether any tool may have a parameter of that name."""
        return not self.known or any(key in self._properties(name) for name in self._parameters)

    def validation_error(self, name: str, arguments: str) -> str | None:
        """Validate a call.

        Args:
            name: The tool's name.
            arguments: The arguments' JSON text.

        Returns:
            What is wrong; None if the tool is declared and the arguments fit its schema.
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
            return f"the tool's schema is invalid: {error}"

    def coerced(self, name: str, key: str, text: str) -> str:
        """Convert a parameter's bare text to the type that its schema declares.

        Args:
            name: The tool's name.
            key: The parameter's name.
            text: The text.

        Returns:
            JSON text of the value; a string unless the type says otherwise.
        """
        schema = self._parameters.get(name, {})
        properties = self._properties(name)
        declared = properties.get(key)
        if declared is None:
            others = keyword(schema, "additionalProperties", schema)
            declared = others if isinstance(others, Mapping) else None
        if declared is None:
            return quote(text) if not properties and not self.known else json_or_text(text)
        return self.coerced_by(declared, text, schema)

    def coerced_as(self, name: str, key: str, text: str, *, is_text: bool) -> str:
        """Convert a parameter whose markup says whether it is text; its schema has precedence where that is impossible.

        Args:
            name: The tool's name.
            key: The parameter's name.
            text: The text.
            is_text: Whether the markup says that it is text, and not JSON.
        """
        types = self._types(name, key)
        if is_text:
            return self.coerced(name, key, text) if types and "string" not in types else quote(text)
        return json_for(text, types)

    def coerced_strictly(self, name: str, key: str, text: str) -> str | None:
        """Convert a text whose end is uncertain; return None unless it is a whole value of a type that is not a string."""
        types = self._types(name, key)
        if not types or "string" in types:
            return None
        found = self.coerced(name, key, text)
        return None if found.startswith('"') else found

    def wrapped_arguments(self, name: str, key: str, text: str) -> str | None:
        """Return the text of all arguments if a parameter holds them, one level too deep.

        Args:
            name: The tool's name.
            key: The parameter's name; the tool declares none of this name.
            text: The text of an object whose members are all declared.
        """
        if key not in WRAPPERS or self.has_parameter(name, key):
            return None
        try:
            value = read_arguments(text)
        except ArgumentsError:
            return None
        return text if value and all(self.has_parameter(name, member) for member in value) else None

    def _types(self, name: str, key: str) -> frozenset[str]:
        return schema_types(self._properties(name).get(key), self._parameters.get(name))

    def _properties(self, name: str) -> Mapping[str, Any]:
        schema = self._parameters.get(name, {})
        found = keyword(schema, "properties", schema)
        return found if isinstance(found, Mapping) else {}

    def schema(self, name: str) -> Mapping[str, Any]:
        """Return the schema of a tool's parameters; empty if it is not known."""
        return self._parameters.get(name, {})

    @staticmethod
    def coerced_by(schema: Any, text: str, root: Mapping[str, Any] | None = None) -> str:
        """Convert a bare text to the type that a schema declares, as JSON text.

        Args:
            schema: The schema of the value.
            text: The text.
            root: The schema that its references point into.
        """
        return coerced(text, schema_types(schema, root))


def schema_types(schema: Any, root: Mapping[str, Any] | None = None, depth: int = 0) -> frozenset[str]:
    """Return the JSON types that a schema allows.

    Args:
        schema: The schema of one value.
        root: The schema that its references point into.
        depth: The number of schemas around it.

    Returns:
        The types that it names; empty if it names none.
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


def keyword(schema: Any, name: str, root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """Return the value of a keyword in a schema, or in the first of its alternatives that has it.

    Args:
        schema: The schema of one value.
        name: The keyword, `items`.
        root: The schema that its references point into.
        depth: The number of schemas around it.
    """
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    if name in schema:
        return schema[name]
    reference = schema.get("$ref")
    inner = [_resolved(reference, root)] if isinstance(reference, str) and root is not None else []
    for union in UNIONS:
        inner += schema.get(union) or ()
    found = (keyword(branch, name, root, depth + 1) for branch in inner)
    return next((value for value in found if value is not None), None)


def json_for(text: str, types: AbstractSet[str]) -> str:
    """Return a text whose markup says that it is JSON; a string of it where only a string is allowed.

    Args:
        text: The text.
        types: The JSON types that its schema allows; empty if it does not say.
    """
    found = verbatim(text)
    if "string" not in types or found[:1] in ('"', "{", "["):
        return found
    kind = _type_of(loads(found)) if found[:1] not in "-0123456789" else "number"
    if kind in types or (kind == "number" and "integer" in types):
        return found
    return quote(text)


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
"""Type names that are not in JSON Schema and occur in tools."""


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _type_of(value: Any) -> str:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")
