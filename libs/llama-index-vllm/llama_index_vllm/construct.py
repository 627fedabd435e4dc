"""LlamaIndex's response objects, made without validating what was made here a moment ago.

`new(TextBlock, text="Hi")` equals `TextBlock(text="Hi")`. A constructor validates its arguments, which costs most of
the time of a streamed chunk. A test compares every class made here with what its constructor makes.
"""

from typing import Any, TypeVar

from pydantic import BaseModel

__all__ = ["new"]

Model = TypeVar("Model", bound=BaseModel)

_set = object.__setattr__


def new(cls: type[Model], **fields: Any) -> Model:
    """Make a model object.

    Args:
        cls: A model without private attributes and extra fields.
        fields: Its fields, all valid; one left out gets its default, which must not come from a factory.

    Returns:
        What the constructor would return.
    """
    made = cls.__new__(cls)
    values = dict(_defaults(cls))
    values.update(fields)
    _set(made, "__dict__", values)
    _set(made, "__pydantic_fields_set__", set(fields))
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


_KNOWN: dict[type[BaseModel], dict[str, Any]] = {}


def _defaults(cls: type[BaseModel]) -> dict[str, Any]:
    """Collect the defaults, in the order of the fields."""
    known = _KNOWN.get(cls)
    if known is None:
        known = _KNOWN[cls] = {name: field.default for name, field in cls.model_fields.items()}
    return known
