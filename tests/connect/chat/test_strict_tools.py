"""Tools sent as strict."""

from typing import Any

from vllm_connect.chat.strict_tools import strict_tools


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **function}}


def test_a_tool_is_strict_unless_it_says_so_itself() -> None:
    given = [tool(), tool(strict=False), tool(strict=True)]
    assert [each["function"]["strict"] for each in strict_tools(given)] == [True, False, True]
    assert given[0] == tool()


def test_a_strict_tool_has_a_schema_that_the_server_supports() -> None:
    (sent,) = strict_tools(
        [tool(parameters={"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 2}}})]
    )
    assert sent["function"]["parameters"]["properties"] == {"n": {"type": "integer"}}
