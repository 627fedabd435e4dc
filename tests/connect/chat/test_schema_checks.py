"""What a grammar ignores is warned of before the answer comes, once for each schema, and the answer is checked all the same."""

import json
import logging
from typing import Any

import pytest
from vllm_connect import ChatRequest, ConfigurationError, ConstraintError
from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.schema_checks import REMEMBERED, check_schemas
from vllm_connect.protocol.server_info import ServerInfo

from tests.connect.chat.test_flow import run, said, start

FIVES = {"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 5}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": FIVES}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": FIVES}}
STRICT = {"type": "function", "function": {**TOOL["function"], "strict": True}}  # type: ignore[dict-item] # it is a dict


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "does not enforce" in record.getMessage()]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"response_format": FORMAT}, "response_format"),
        ({"structured_outputs": {"json": FIVES}}, "structured_outputs"),
        ({"structured_outputs": {"json": json.dumps(FIVES)}}, "structured_outputs"),
        ({"tools": [TOOL], "tool_choice": "required"}, "the tool 'f'"),
        ({"tools": [TOOL], "tool_choice": "f"}, "the tool 'f'"),
        ({"tools": [STRICT]}, "the tool 'f'"),
    ],
)
def test_a_schema_is_warned_of_once(fields: dict[str, Any], name: str, caplog: pytest.LogCaptureFixture) -> None:
    capabilities = ServerCapabilities(info=ServerInfo())
    for _ in range(2):
        next(start(capabilities, **{"tools": None, **fields}))
        assert [line.split(": the grammar")[0] for line in warned(caplog)] == [
            f"the server's grammar does not enforce the schema of {name} at $.properties.n.multipleOf"
        ]
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_the_answer_is_checked_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConstraintError, match="multipleOf"):
        run(start(tools=None, response_format=FORMAT), said('{"n": 7}'))
    assert len(warned(caplog)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [TOOL]},
        {"tools": [TOOL, {**TOOL, "function": {"name": "g"}}], "tool_choice": "g"},
        {"structured_outputs": {"json": {"allOf": [{"type": "string"}, {"enum": ["a"]}]}}},
        {"structured_outputs": {"regex": "a"}},
        {"response_format": {"type": "json_object"}},
        {
            "structured_outputs": {
                "json": {
                    "discriminator": {"propertyName": "k"},
                    "oneOf": [{"properties": {"k": {"const": "a"}}}, {"properties": {"k": {"const": "b"}}}],
                }
            }
        },
    ],
)
def test_an_enforced_keyword_is_not_warned_about(fields: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    next(start(**{"tools": None, **fields}))
    assert warned(caplog) == []


def test_a_warning_is_one_line_of_bounded_length(caplog: pytest.LogCaptureFixture) -> None:
    names = [f"a\n{i}" + "x" * 500 for i in range(20)]
    many = {"type": "object", "properties": {name: {"type": "integer", "multipleOf": 5} for name in names}}
    next(start(tools=None, structured_outputs={"json": many}))
    (line,) = warned(caplog)
    assert line.isprintable()
    assert len(line) < 1000
    assert line.endswith("and 15 more, which lint_schema lists")


def test_what_is_remembered_is_bounded() -> None:
    seen: set[int] = set()
    for n in range(1, REMEMBERED + 10):
        asked = ChatRequest(messages=[], structured_outputs={"json": {"type": "integer", "minimum": n}})
        check_schemas(asked, seen)
    assert 0 < len(seen) < REMEMBERED


@pytest.mark.parametrize("reference", ["#/$defs/Missing", "https://example.com/x.json"])
@pytest.mark.parametrize("place", ["tool", "response_format", "structured_outputs"])
def test_a_reference_that_leads_nowhere_is_an_error_before_anything_is_sent(reference: str, place: str) -> None:
    schema = {"type": "object", "properties": {"p": {"$ref": reference}}}
    fields: dict[str, dict[str, Any]] = {
        "tool": {
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
            "tool_choice": "any",
        },
        "response_format": {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}},
        "structured_outputs": {"structured_outputs": {"json": schema}},
    }
    capabilities = ServerCapabilities(info=ServerInfo())
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"\$\.properties\.p"):
            next(start(capabilities, **{"tools": None, **fields[place]}))
