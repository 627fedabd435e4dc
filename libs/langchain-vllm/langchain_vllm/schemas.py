"""Schemas of structured output: what is sent for each, and how an answer is parsed.

A pydantic class, a `TypedDict`, a dataclass and a JSON schema are sent as a JSON schema of an object. `Literal["a", "b"]`,
an `Enum` and `bool` are sent as `{"structured_outputs": {"choice": ["a", "b"]}}`, and the answer is `a`. Any other type
that pydantic knows, such as `list[int]`, is a JSON schema. A tool's arguments must be an object, so as a tool both of them
are `{"value": …}`.
"""

import dataclasses
import enum
import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias, get_args, get_origin

import pydantic
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from typing_extensions import is_typeddict
from vllm_connect.adapters import find_violation, is_response_format, json_schema_format, schema_name

from langchain_vllm.errors import ConfigurationError

__all__ = ["OutputSchema", "Schema", "output_schema", "to_response_format"]

Schema: TypeAlias = Any
"""A dict, a class, or any type that pydantic knows; type checkers have no name for it."""

TOOL_KEYS = frozenset({"function", "input_schema", "parameters", "toolSpec"})
"""Keys that a tool's dict has and a JSON schema does not."""


@dataclasses.dataclass(frozen=True)
class OutputSchema:
    """A schema that an answer must match.

    Attributes:
        name: Its name, as servers accept names.
        json_schema: The JSON schema.
        parse: Parses the text of an answer; raises ValueError.
        is_dict: Whether the parsed answer is a dict, of which parts can be shown.
        tool: What to bind as a tool in place of the schema, if LangChain cannot convert that to a tool.
        choices: The possible answers, if the answer is not JSON but one of them.
        parse_arguments: Parses a tool's arguments, if they are not parsed as an answer is.
        output_type: The type of the parsed answer; a dict of a JSON schema if None.
    """

    name: str
    json_schema: dict[str, Any]
    parse: Callable[[str], Any]
    is_dict: bool
    tool: dict[str, Any] | None = None
    choices: tuple[str, ...] | None = None
    parse_arguments: Callable[[str], Any] | None = None
    output_type: Any = None

    def of_arguments(self) -> "OutputSchema":
        """Return the schema of a tool's arguments."""
        return self if self.parse_arguments is None else dataclasses.replace(self, parse=self.parse_arguments)


def output_schema(schema: Schema) -> OutputSchema:
    """Read a schema in any format.

    Args:
        schema: A pydantic class (v1 or v2), a `TypedDict`, a dataclass, a JSON schema, a tool's dict, or another type:
            `Literal["a", "b"]`, an `Enum`, `bool`, `list[int]`.

    Raises:
        ConfigurationError: It is not one of these.
    """
    if isinstance(schema, Mapping):
        return _of_dict(dict(schema))
    if isinstance(schema, str):
        raise ConfigurationError("a schema is a class, a type or a dict, not a str")
    read = _of_class(schema) if _is_object_class(schema) else _of_type(schema)
    return read if read.is_dict else dataclasses.replace(read, output_type=schema)


def to_response_format(schema: Schema, *, strict: bool | None = None) -> dict[str, Any]:
    """Build the `response_format` of a request.

    Args:
        schema: A schema in any format, or a `response_format`, which is returned unchanged.
        strict: The value of `strict`, which is left out if None.
    """
    if is_response_format(schema):
        return dict(schema)
    read = output_schema(schema)
    return json_schema_format(read.name, read.json_schema, strict=strict)


# Objects


def _is_object_class(schema: Any) -> bool:
    if get_origin(schema) is not None or not isinstance(schema, type):
        return False
    return hasattr(schema, "__dataclass_fields__") or is_typeddict(schema) or is_basemodel_subclass(schema)


@lru_cache(maxsize=256)
def _of_class(schema: type) -> OutputSchema:
    name = schema_name(schema.__name__)
    if dataclasses.is_dataclass(schema):
        json_schema = {"title": schema.__name__, **_type_adapter(schema).json_schema()}
        return OutputSchema(name, json_schema, partial(_parse_type, schema), is_dict=False, tool=json_schema)
    if not is_basemodel_subclass(schema):
        return _of_dict(_converted(schema))
    if issubclass(schema, pydantic.BaseModel):
        return OutputSchema(name, schema.model_json_schema(), schema.model_validate_json, is_dict=False)
    v1: Any = schema  # a class of pydantic.v1
    return OutputSchema(name, v1.schema(), partial(_parse_v1, schema), is_dict=False)


def _parse_v1(schema: Any, text: str) -> Any:
    return schema.parse_obj(json.loads(text))


def _of_dict(schema: dict[str, Any]) -> OutputSchema:
    is_tool = not TOOL_KEYS.isdisjoint(schema)
    json_schema = _converted(schema) if is_tool else {"title": "answer", **schema}
    tool = None if is_tool or "title" in schema else json_schema
    return OutputSchema(
        schema_name(str(json_schema["title"])), json_schema, partial(_parse_valid, json_schema), is_dict=True, tool=tool
    )


def _converted(schema: Any) -> dict[str, Any]:
    try:
        return convert_to_json_schema(schema)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"the schema cannot be converted, pass a pydantic class, a TypedDict, a dataclass or a JSON schema: {error}"
        ) from error


def _parse_valid(schema: dict[str, Any], text: str) -> Any:
    """Parse an answer, and validate it against a JSON schema."""
    value = json.loads(text)
    if problem := find_violation(value, schema):
        raise ValueError(problem)
    return value


# Types that are not objects


def _of_type(schema: Any) -> OutputSchema:
    adapter = _type_adapter(schema)
    name = schema_name(schema.__name__) if isinstance(schema, enum.EnumMeta) else "answer"
    json_schema = {"title": name, **adapter.json_schema()}
    values = _choices(schema)
    return OutputSchema(
        name,
        json_schema,
        partial(_parse_type, schema) if values is None else partial(_choose, values),
        is_dict=False,
        tool=_value_tool(name, json_schema),
        choices=None if values is None else tuple(values),
        parse_arguments=partial(_parse_value, schema),
    )


def _parse_type(schema: Any, text: str) -> Any:
    return _type_adapter(schema).validate_json(text)


def _choose(values: Mapping[str, Any], text: str) -> Any:
    try:
        return values[text.strip()]
    except KeyError:
        raise ValueError("it is not one of the choices") from None


def _parse_value(schema: Any, text: str) -> Any:
    """Parse a tool's arguments, an object with one value."""
    arguments = json.loads(text)
    if not isinstance(arguments, dict) or "value" not in arguments:
        raise ValueError("the arguments have no value")
    return _type_adapter(schema).validate_python(arguments["value"])


@lru_cache(maxsize=256)
def _type_adapter(schema: Any) -> pydantic.TypeAdapter[Any]:
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(schema)
        adapter.json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise ConfigurationError(
            "the schema cannot be converted, pass a pydantic class, a TypedDict, a dataclass, a JSON schema, or a type that "
            f"pydantic knows: {error.message.partition(chr(10))[0]}"
        ) from None
    return adapter


def _choices(schema: Any) -> dict[str, Any] | None:
    """List the possible values of a type by their texts; None if the type is not a choice."""
    values: list[Any]
    if get_origin(schema) is Literal:
        values = list(get_args(schema))
        texts = [_choice_text(value) for value in values]
    elif isinstance(schema, type) and issubclass(schema, enum.Enum):
        values = list(schema)
        texts = [_choice_text(member.value) for member in values]
    elif schema is bool:
        values, texts = [True, False], ["true", "false"]
    else:
        return None
    if any(text is None or not text.strip() for text in texts) or len(set(texts)) < len(texts):
        return None
    return {str(text): value for text, value in zip(texts, values, strict=True)}


def _choice_text(value: Any) -> str | None:
    if isinstance(value, enum.Enum):
        return _choice_text(value.value)
    if isinstance(value, str):
        return value
    return json.dumps(value) if value is None or isinstance(value, bool | int) else None


def _value_tool(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Build the JSON schema of an object with one value, as a tool needs it."""
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    outer = {"title": name, "type": "object", "properties": {"value": inner}, "required": ["value"]}
    return {**outer, "$defs": schema["$defs"]} if "$defs" in schema else outer
