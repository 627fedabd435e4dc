"""A call's settings over a model's.

`override_fields({"top_k": 5}, {"top_k": None, "seed": 1})` is `{"top_k": None, "seed": 1}`.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.request.chat_request import ChatRequest, RequestFields, given_names
from vllm_connect.request.field_facts import fields_where
from vllm_connect.request.merge import merge

__all__ = ["explicit_fields", "override_fields"]

_MERGED = fields_where(ChatRequest, lambda facts: facts.merge)
_DEFAULTS = {name: field.default for name, field in RequestFields.model_fields.items()}


def explicit_fields(fields: RequestFields) -> dict[str, Any]:
    """List the fields that do not have their defaults.

    Args:
        fields: A request, or a model that has its fields.

    Returns:
        Their values by name.
    """
    values = fields.__dict__
    return {name: values[name] for name in given_names(fields) if name in _DEFAULTS and values[name] != _DEFAULTS[name]}


def override_fields(defaults: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Override a model's fields by a call's.

    Args:
        defaults: The model's fields.
        overrides: The call's; None removes a default, and a dict of extras is merged into it.

    Returns:
        The fields of the request.
    """
    fields = dict(defaults)
    for name, value in overrides.items():
        below = fields.get(name)
        fields[name] = merge(below, value) if name in _MERGED and isinstance(below, Mapping) and value else value
    return fields
