"""Tools in every format, and every tool choice."""

from contextlib import nullcontext
from typing import Any

import pytest
from langchain_core.runnables import RunnableBinding
from langchain_core.tools import BaseTool, StructuredTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_vllm import tools as module
from langchain_vllm.errors import ConfigurationError, ConstraintError
from langchain_vllm.tools import to_wire_tools
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as OlderModel, Field as OlderField
from typing_extensions import TypedDict

from tests.langchain.scripted import Answer, Scripted


class Add(BaseModel):
    """Add two numbers."""

    a: int = Field(description="First")
    b: int


class OlderAdd(OlderModel):
    """Add two numbers."""

    a: int = OlderField(description="First")
    b: int


class TypedAdd(TypedDict):
    """Add two numbers."""

    a: int
    b: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def added(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
OPENAI = {"type": "function", "function": {"name": "add", "description": "Add two numbers.", "parameters": SCHEMA}}
ANTHROPIC = {"name": "add", "description": "Add two numbers.", "input_schema": SCHEMA}
JSON_SCHEMA = {"title": "add", "description": "Add two numbers.", **SCHEMA}
FORMATS: list[Any] = [Add, OlderAdd, TypedAdd, add, added, OPENAI, OPENAI["function"], ANTHROPIC, JSON_SCHEMA]


@pytest.mark.parametrize("given", FORMATS, ids=[str(i) for i in range(len(FORMATS))])
def test_every_format_of_a_tool_is_converted(given: Any) -> None:
    (wire,) = to_wire_tools([given])
    assert wire == convert_to_openai_tool(given)
    assert wire["type"] == "function"
    assert wire["function"]["description"] == "Add two numbers."
    assert set(wire["function"]["parameters"]["properties"]) == {"a", "b"}
    assert to_wire_tools([given], strict=True)[0]["function"]["strict"] is True


def test_a_tool_is_converted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    converted = []

    def counting(source: Any, **given: Any) -> dict[str, Any]:
        converted.append(source)
        return convert_to_openai_tool(source, **given)

    monkeypatch.setattr(module, "convert_to_openai_tool", counting)

    def fresh(a: int) -> int:
        """Do."""
        return a

    made = StructuredTool.from_function(fresh)
    for _ in range(3):
        to_wire_tools([fresh, made])
    assert len(converted) == 2
    made.description = "Something else."
    assert to_wire_tools([made])[0]["function"]["description"] == "Something else."


def test_nothing_is_kept_of_a_tool_that_is_gone() -> None:
    made: BaseTool | None = StructuredTool.from_function(add, name="gone")
    to_wire_tools([made])  # type: ignore[list-item]  # it is a tool
    kept = len(module._CONVERTED)
    made = None
    assert len(module._CONVERTED) == kept - 1


@pytest.mark.parametrize("given", [5, {"type": "object"}, {"no": "tool"}, "add"])
def test_a_value_that_is_not_a_tool_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="tool"):
        Scripted([]).model().bind_tools([given])


NAMED = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        (False, "none"),
        ("add", NAMED),
        (NAMED, NAMED),
        ({"type": "tool", "name": "add"}, NAMED),
    ],
)
def test_every_tool_choice_is_sent_in_vllm_s_format(choice: Any, sent: Any) -> None:
    script = Scripted([Answer(calls=[("add", '{"a": 1, "b": 2}')], finish="tool_calls")])
    bound = script.model().bind_tools([add], tool_choice=choice)
    assert isinstance(bound, RunnableBinding)
    bound.invoke("Hi")
    script.model().invoke("Hi", tools=[add], tool_choice=choice)
    for body in script.asked:
        assert body["tools"] == [convert_to_openai_tool(add)]
        assert body.get("tool_choice") == sent


@pytest.mark.parametrize("choice", ["subtract", {"type": "function", "function": {"name": "subtract"}}])
def test_a_choice_of_a_tool_that_is_not_bound_is_refused(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'subtract'.*the tools are add"):
        Scripted([]).model().bind_tools([add], tool_choice=choice)
    script = Scripted([])
    with pytest.raises(ConfigurationError, match=r"'subtract'.*the tools are add"):
        script.model().bind_tools([add]).invoke("Hi", tool_choice=choice)
    assert script.asked == []


def test_an_empty_list_of_tools_is_not_sent() -> None:
    script = Scripted([Answer("{}")])
    wanted = {"type": "json_schema", "json_schema": {"name": "A", "schema": {"type": "object"}}}
    script.model().bind_tools([], tool_choice="auto", parallel_tool_calls=False, response_format=wanted).invoke("Hi")
    (body,) = script.asked
    assert body["response_format"] == wanted
    assert {"tools", "tool_choice", "parallel_tool_calls"}.isdisjoint(body)


def test_bound_arguments_are_sent() -> None:
    script = Scripted([Answer('{"a": 1, "b": 2}')])
    bound = script.model().bind_tools([add], strict=True, parallel_tool_calls=False, top_k=3, response_format=Add)
    bound.invoke("Hi", tool_parser="server")
    (body,) = script.asked
    assert body["tools"][0]["function"]["strict"] is True
    assert (body["parallel_tool_calls"], body["top_k"]) == (False, 3)
    assert body["response_format"]["json_schema"]["name"] == "Add"


PROSE = Answer("I would rather not.")


@pytest.mark.parametrize(
    ("choice", "answer", "kept"),
    [
        ("any", PROSE, False),
        ("add", PROSE, False),
        ("add", Answer(calls=[("other", "{}")]), False),
        ("add", Answer(calls=[("add", '{"a": 1, "b": 2}')]), True),
        ("any", Answer(calls=[("add", '{"a": 1}')]), True),
        ("any", Answer(calls=[("add", "{")]), False),
        ("auto", PROSE, True),
        (None, PROSE, True),
    ],
)
async def test_a_tool_choice_that_was_not_enforced_is_an_error(choice: Any, answer: Answer, kept: bool) -> None:
    bound: Any = Scripted([answer]).model(tool_parser="server").bind_tools([add], tool_choice=choice)

    async def astream() -> None:
        [chunk async for chunk in bound.astream("Hi")]

    ways = (
        lambda: bound.invoke("Hi"),
        lambda: list(bound.stream("Hi")),
        lambda: list(bound.stream_events("Hi", version="v3")),
    )
    for ask in ways:
        with nullcontext() if kept else pytest.raises(ConstraintError, match="did not enforce") as caught:
            ask()
        if caught is not None:
            assert caught.value.partial is not None
    for wait in (lambda: bound.ainvoke("Hi"), astream):
        with nullcontext() if kept else pytest.raises(ConstraintError, match="did not enforce"):
            await wait()
    assert bound.invoke("Hi", check_constraints=False).text == answer.text


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "web_search_20250305", "name": "web_search"},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "mcp", "server_label": "x", "server_url": "https://x.test"},
    ],
)
def test_a_tool_of_another_provider_is_refused_by_its_name(tool: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"the tool '{tool['type']}' is run by other providers"):
        Scripted([]).model().bind_tools([tool])
