"""Types that are no object: a choice, a number, a list.

`Literal["a", "b"]`, an `Enum` and `bool` are sent as `{"structured_outputs": {"choice": ["a", "b"]}}`, and the answer is
the bare word `a`. Any other type that pydantic knows, such as `list[int]`, is a JSON schema. A tool's arguments must be an
object, so as a tool either is `{"value": …}`.
"""

import enum
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

import pydantic
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from typing_extensions import is_typeddict

from langchain_vllm.errors import ConfigurationError

__all__ = ["as_tool", "choices_of", "is_bare", "type_adapter", "value_of"]


def is_bare(schema: Any) -> bool:
    """Tell whether something is a type that is neither a class of objects nor a dict."""
    if isinstance(schema, Mapping | str):
        return False
    if get_origin(schema) is not None or not isinstance(schema, type):
        return True
    return not (hasattr(schema, "__dataclass_fields__") or is_typeddict(schema) or is_basemodel_subclass(schema))


def choices_of(schema: Any) -> dict[str, Any] | None:
    """List what a type can be.

    Returns:
        Each value by the word that stands for it; None for a type that is no choice among words.
    """
    values: list[Any]
    if get_origin(schema) is Literal:
        values = list(get_args(schema))
        words = [_word(value) for value in values]
    elif isinstance(schema, type) and issubclass(schema, enum.Enum):
        values = list(schema)
        words = [_word(member.value) for member in values]
    elif schema is bool:
        values, words = [True, False], ["true", "false"]
    else:
        return None
    if any(word is None or not word.strip() for word in words) or len(set(words)) < len(words):
        return None
    return {str(word): value for word, value in zip(words, values, strict=True)}


def _word(value: Any) -> str | None:
    if isinstance(value, enum.Enum):
        return _word(value.value)
    if isinstance(value, str):
        return value
    return json.dumps(value) if value is None or isinstance(value, bool | int) else None


def type_adapter(schema: Any) -> pydantic.TypeAdapter[Any]:
    """Make pydantic's reader of a type.

    Raises:
        ConfigurationError: Pydantic does not know it.
    """
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(schema)
        adapter.json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise ConfigurationError(
            "the schema cannot be read, give a pydantic class, a TypedDict, a dataclass, a JSON schema, or a type that "
            f"pydantic knows: {error.message.partition(chr(10))[0]}"
        ) from None
    return adapter


def as_tool(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Put a schema into an object, as a tool wants it."""
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    outer = {"title": name, "type": "object", "properties": {"value": inner}, "required": ["value"]}
    return {**outer, "$defs": schema["$defs"]} if "$defs" in schema else outer


def value_of(read: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Make a reader of a tool's arguments.

    Args:
        read: Reads the value.
    """

    def read_arguments(text: str) -> Any:
        arguments = json.loads(text)
        if not isinstance(arguments, dict) or "value" not in arguments:
            raise ValueError("the arguments have no value")
        return read(arguments["value"])

    return read_arguments
