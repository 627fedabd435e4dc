"""Objects of pydantic classes, built without validating values that were built a moment ago.

`unvalidated(TextBlock, {"block_type": "text", "text": "Hi"}, {"text"})` equals `TextBlock(text="Hi")`. Validation takes
most of the time of a streamed chunk. Each adapter tests that everything built here equals what the constructor builds.

Code that runs once per chunk may fill the slots of an object itself, with `set_fields`, `set_fields_set`, `set_extra` and
`set_private`.
"""

from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = [
    "other_fields",
    "set_extra",
    "set_fields",
    "set_fields_set",
    "set_private",
    "unvalidated",
]

Model = TypeVar("Model", bound=BaseModel)

set_fields = BaseModel.__dict__["__dict__"].__set__
set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
set_private = BaseModel.__dict__["__pydantic_private__"].__set__
_new = object.__new__

_OTHER_FIELDS: dict[type[BaseModel], list[tuple[str, FieldInfo]]] = {}


def other_fields(cls: type[BaseModel], names: Collection[str]) -> list[tuple[str, FieldInfo]]:
    """List the fields of a class that an adapter does not know: those of a later version of the framework."""
    return [(name, field) for name, field in cls.model_fields.items() if name not in names]


def unvalidated(
    cls: type[Model], values: dict[str, Any], fields_set: set[str], extra: dict[str, Any] | None = None
) -> Model:
    """Build an object of a pydantic class without private attributes.

    Args:
        cls: The class.
        values: Its fields, all valid, in the class's order; the same names for each object of the class. A field that
            is missing gets its default.
        fields_set: The fields that a caller of the constructor would set.
        extra: `{}` for a class that allows extra fields, else None.

    Returns:
        What the constructor would build. It keeps `values`, `fields_set` and `extra`.
    """
    built = _new(cls)
    others = _OTHER_FIELDS.get(cls)
    if others is None:
        others = _OTHER_FIELDS[cls] = other_fields(cls, values)
    for name, field in others:
        values[name] = field.get_default(call_default_factory=True)
    set_fields(built, values)
    set_fields_set(built, fields_set)
    set_extra(built, extra)
    set_private(built, None)
    return built
