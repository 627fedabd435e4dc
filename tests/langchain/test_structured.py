"""Answers in the form of a schema: every kind of schema, every method, whole and in pieces."""

import dataclasses
import datetime as dt
from typing import Any, Optional

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_vllm.errors import ConfigurationError, ConstraintError, StructuredOutputError
from langchain_vllm.structured import Method
from pydantic import BaseModel
from pydantic.v1 import BaseModel as OlderModel
from typing_extensions import TypedDict

from tests.langchain.scripted import Answer, Scripted

TEXT = '{"setup": "Why?", "punchline": "So."}'
VALUE = {"setup": "Why?", "punchline": "So."}


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


class OlderJoke(OlderModel):
    """A joke."""

    setup: str
    punchline: str


class TypedJoke(TypedDict):
    """A joke."""

    setup: str
    punchline: str


@dataclasses.dataclass
class DataJoke:
    """A joke."""

    setup: str
    punchline: str


PROPERTIES = {"setup": {"type": "string"}, "punchline": {"type": "string"}}
SCHEMA = {"title": "Joke", "type": "object", "properties": PROPERTIES, "required": ["setup", "punchline"]}
UNTITLED = {name: value for name, value in SCHEMA.items() if name != "title"}
OPENAI = {"type": "function", "function": {"name": "Joke", "description": "A joke.", "parameters": UNTITLED}}
ANTHROPIC = {"name": "Joke", "description": "A joke.", "input_schema": UNTITLED}
SCHEMAS: dict[str, tuple[Any, Any]] = {
    "pydantic": (Joke, Joke(**VALUE)),
    "pydantic v1": (OlderJoke, OlderJoke(**VALUE)),
    "dataclass": (DataJoke, DataJoke(**VALUE)),
    "TypedDict": (TypedJoke, VALUE),
    "JSON schema": (SCHEMA, VALUE),
    "untitled": (UNTITLED, VALUE),
    "OpenAI": (OPENAI, VALUE),
    "function": (OPENAI["function"], VALUE),
    "Anthropic": (ANTHROPIC, VALUE),
}
METHODS: list[Method] = ["json_schema", "function_calling", "json_mode"]


def answering(text: str, method: Method, name: str = "Joke", finish: str = "stop") -> Scripted:
    return Scripted(
        [Answer(calls=[(name, text)], finish=finish) if method == "function_calling" else Answer(text, finish=finish)]
    )


def name_of(schema: Any) -> str:
    return schema.__name__ if isinstance(schema, type) else "answer" if schema is UNTITLED else "Joke"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("schema", "expected"), SCHEMAS.values(), ids=SCHEMAS)
async def test_every_schema_by_every_method(schema: Any, expected: Any, method: Method) -> None:
    script = answering(TEXT, method, name_of(schema))
    model = script.model().with_structured_output(schema, method=method)
    assert model.invoke("Hi") == expected
    assert await model.ainvoke("Hi") == expected
    streamed = list(model.stream("Hi"))
    assert streamed[-1] == expected
    assert [piece async for piece in model.astream("Hi")] == streamed
    assert (len(streamed) > 3) is isinstance(expected, dict)
    raw = script.model().with_structured_output(schema, method=method, include_raw=True).invoke("Hi")
    assert (raw["parsed"], raw["parsing_error"]) == (expected, None)
    assert raw["raw"].response_metadata["model_provider"] == "vllm"


@pytest.mark.parametrize("strict", [None, True, False])
def test_the_schema_is_sent(strict: bool | None) -> None:
    script = Scripted([Answer(TEXT)])
    script.model().with_structured_output(SCHEMA, strict=strict, temperature=0).invoke("Hi")
    said = {} if strict is None else {"strict": strict}
    (body,) = script.asked
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "Joke", "schema": SCHEMA, **said}}
    assert body["temperature"] == 0


def test_the_tool_is_forced() -> None:
    script = answering(TEXT, "function_calling")
    script.model().with_structured_output(Joke, method="function_calling", strict=True).invoke("Hi")
    (body,) = script.asked
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Joke"}}
    assert body["tools"][0]["function"]["strict"] is True
    assert body["parallel_tool_calls"] is False


def test_json_mode_needs_no_schema() -> None:
    script = Scripted([Answer('{"a": 1}')])
    assert script.model().with_structured_output(None, method="json_mode").invoke("Hi") == {"a": 1}
    assert script.asked[0]["response_format"] == {"type": "json_object"}


def test_a_fence_round_the_answer_is_taken_away() -> None:
    script = Scripted([Answer(f"```json\n{TEXT}\n```")])
    model = script.model().with_structured_output(TypedJoke, method="json_mode")
    assert model.invoke("Hi") == VALUE
    assert list(model.stream("Hi"))[-1] == VALUE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schema", [Joke, OlderJoke, DataJoke, SCHEMA])
@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ('{"setup": "Why?", "pun', "length", "cut"),
        ('{"setup": "Why?", "pun', "stop", "."),
        ('{"setup": 5}', "stop", "."),
        ("[]", "stop", "."),
        ("", "stop", "empty|arguments"),
    ],
)
def test_an_answer_without_the_form_is_an_error(
    schema: Any, method: Method, text: str, finish: str, problem: str
) -> None:
    model = answering(text, method, name_of(schema), finish).model()
    structured = model.with_structured_output(schema, method=method)
    for ask in (structured.invoke, lambda question: list(structured.stream(question))):
        with pytest.raises(StructuredOutputError, match=problem) as caught:
            ask("Hi")
        assert isinstance(caught.value, OutputParserException)
        assert isinstance(caught.value, ConstraintError)
    raw = model.with_structured_output(schema, method=method, include_raw=True).invoke("Hi")
    assert raw["parsed"] is None
    assert isinstance(raw["parsing_error"], StructuredOutputError)


def test_a_missing_call_is_an_error() -> None:
    model = Scripted([Answer("I would rather not.")]).model()
    with pytest.raises(StructuredOutputError, match="did not enforce"):
        model.with_structured_output(Joke, method="function_calling").invoke("Hi")


def test_an_answer_that_is_all_reasoning_is_explained() -> None:
    with pytest.raises(StructuredOutputError, match="all of it is reasoning"):
        Scripted([Answer(reasoning=TEXT)]).model().with_structured_output(Joke).invoke("Hi")


class Node(BaseModel):
    name: str
    born: Optional[dt.date] = None  # noqa: UP045 - what people write
    children: list["Node"] = []


def test_a_schema_may_contain_itself() -> None:
    text = '{"name": "a", "born": "2020-01-02", "children": [{"name": "b", "children": []}]}'
    node = Scripted([Answer(text)]).model().with_structured_output(Node).invoke("Hi")
    assert node == Node(name="a", born=dt.date(2020, 1, 2), children=[Node(name="b")])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"schema": Joke, "method": "magic"}, "magic"),
        ({"schema": None}, "needs a schema"),
        ({"schema": 5}, "schema"),
        ({"schema": int}, "schema"),
        ({"schema": Joke, "method": "json_mode", "strict": True}, "strict"),
    ],
)
def test_what_is_no_schema_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Scripted([]).model().with_structured_output(**given)
