"""References of a schema that lead nowhere are found, and no others."""

from typing import Any

import pytest
from vllm_connect.schema.references import dangling_references

DEFS = {"$defs": {"a": {"type": "string"}, "b/c": {"$anchor": "named"}, "l": {"enum": [1]}}}


@pytest.mark.parametrize(
    "reference",
    [
        *("#", "#/$defs/a", "#/$defs/b~1c", "#named", "#/properties/p", "#/allOf/0", "https://example.com/own"),
        *("https://example.com/own#/$defs/a", "https://json-schema.org/draft/2020-12/schema", "#/%24defs/a"),
    ],
)
def test_a_reference_within_the_schema_is_found(reference: str) -> None:
    schema: dict[str, Any] = {
        "$id": "https://example.com/own",
        "allOf": [{}],
        "properties": {"p": {"$ref": reference}},
        **DEFS,
    }
    assert dangling_references(schema) == []


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "#/$defs/z",
            "#/$defs",
            "#nothing",
            "#/allOf/1",
            "https://example.com/x.json",
            "other.json#/a",
            "#/$defs/a/type/b",
        ),
        *("#/$defs/l/enum/7",),
    ],
)
def test_a_reference_that_leads_nowhere_is_named_with_its_path(reference: str) -> None:
    schema: dict[str, Any] = {"allOf": [{}], "properties": {"p": {"items": {"$ref": reference}}}, **DEFS}
    expected = [] if reference == "#/$defs" else [("$.properties.p.items", reference)]
    assert dangling_references(schema) == expected


def test_data_is_not_a_reference() -> None:
    assert dangling_references({"default": {"$ref": "x"}, "const": {"$ref": "x"}, "enum": [{"$ref": "x"}]}) == []
