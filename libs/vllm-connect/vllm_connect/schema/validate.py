"""Validation of a value against a JSON schema: in bounded time, offline, and without showing the value.

`find_violation({"n": "x"}, {"properties": {"n": {"type": "integer"}}})` is `$.n violates type`. References lead to the schema itself
and nowhere else: nothing is fetched. OpenAPI's `nullable` is supported. Source: JSON Schema 2020-12, OpenAPI 3.0.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from vllm_connect.schema.safe_regex import guarded_patterns

__all__ = ["SchemaError", "find_violation"]


class SchemaError(ValueError):
    """A schema is not valid, or refers to what it does not contain; the message says where."""


def find_violation(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Find where a value violates a schema.

    Args:
        value: Any JSON value.
        schema: The schema.

    Returns:
        The path and the keyword; None where the value is valid.

    Raises:
        SchemaError: The schema is not valid, or refers to what it does not contain.
    """
    if not schema:
        return None
    import jsonschema  # noqa: PLC0415 - slow to import, and few calls need it
    from referencing import Registry  # noqa: PLC0415 - comes with jsonschema
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    validator = _validator(jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator))
    try:
        validator.check_schema(
            dict(schema), format_checker=jsonschema.FormatChecker(())
        )  # of patterns, other dialects too
        problem = next(validator(schema, registry=Registry()).iter_errors(value), None)
    except jsonschema.SchemaError as error:
        raise SchemaError(f"{error.message} at {error.json_path}") from None
    except Unresolvable as error:
        raise SchemaError(f"it refers to {error.ref!r}, which it does not contain") from None
    except RecursionError:
        raise SchemaError(
            "the schema or the value is nested too deeply, or the schema refers to itself endlessly"
        ) from None
    return None if problem is None else f"{problem.json_path} violates {problem.validator}"


@lru_cache(maxsize=8)
def _validator(plain: Any) -> Any:
    from jsonschema.validators import extend  # noqa: PLC0415 - slow to import, and few calls need it

    def typed(checker: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        if value is not None or schema.get("nullable") is not True:
            yield from plain.VALIDATORS["type"](checker, wanted, value, schema) or ()

    return extend(plain, {"type": typed, **guarded_patterns(plain)})  # type: ignore[no-untyped-call] # jsonschema types most of itself, not this
