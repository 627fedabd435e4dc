"""Structured output: every kind of schema, every method, with and without a stream."""

import dataclasses
import datetime as dt
import enum
import pickle
from typing import Any, Literal, Optional

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import StrOutputParser
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
async def test_every_schema_works_with_every_method(schema: Any, expected: Any, method: Method) -> None:
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


def test_function_calling_forces_the_tool() -> None:
    script = answering(TEXT, "function_calling")
    script.model().with_structured_output(Joke, method="function_calling", strict=True).invoke("Hi")
    (body,) = script.asked
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Joke"}}
    assert body["tools"][0]["function"]["strict"] is True
    assert body["parallel_tool_calls"] is False


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


NOT_OBJECTS: list[tuple[Any, str, Any, Any]] = [
    (Literal["a", "b"], "b", ["a", "b"], "b"),
    (Literal["a", 1, True], "true", ["a", "1", "true"], True),
    (Color, "\nblue", ["red", "blue"], Color.BLUE),
    (Level, "2", ["1", "2"], Level.HIGH),
    (bool, "false", ["true", "false"], False),
    (int, "7", {"title": "answer", "type": "integer"}, 7),
    (list[int], "[1, 2]", {"title": "answer", "type": "array", "items": {"type": "integer"}}, [1, 2]),
    (Literal["a"] | None, '"a"', None, "a"),
    (Literal["1", 1], "1", None, 1),
    (list[Joke], f"[{TEXT}]", None, [Joke(**VALUE)]),
]


@pytest.mark.parametrize(("schema", "text", "sent", "expected"), NOT_OBJECTS, ids=lambda case: str(case)[:20])
async def test_a_type_that_is_not_an_object_can_be_a_schema(schema: Any, text: str, sent: Any, expected: Any) -> None:
    script = Scripted([Answer(text)])
    model = script.model(structured_outputs={"regex": "x"}).with_structured_output(schema)
    assert model.invoke("Hi") == expected
    assert await model.ainvoke("Hi") == expected
    assert list(model.stream("Hi"))[-1] == expected
    body = script.asked[0]
    if isinstance(sent, list):
        assert body["structured_outputs"] == {"choice": sent}
        assert "response_format" not in body
    else:
        assert "structured_outputs" not in body
        schema_sent = body["response_format"]["json_schema"]["schema"]
        assert sent is None or schema_sent == sent
    raw = Scripted([Answer("what?")]).model().with_structured_output(schema, include_raw=True).invoke("Hi")
    assert raw["parsed"] is None
    assert isinstance(raw["parsing_error"], StructuredOutputError)


@pytest.mark.parametrize(
    ("schema", "value", "expected"), [(Color, '"red"', Color.RED), (bool, "true", True), (list[int], "[1]", [1])]
)
def test_a_type_that_is_not_an_object_can_be_a_tool(schema: Any, value: str, expected: Any) -> None:
    name = getattr(schema, "__name__", "") if schema is Color else "answer"
    script = answering(f'{{"value": {value}}}', "function_calling", name)
    assert script.model().with_structured_output(schema, method="function_calling").invoke("Hi") == expected
    (tool,) = script.asked[0]["tools"]
    assert list(tool["function"]["parameters"]["properties"]) == ["value"]
    broken = answering('{"other": 1}', "function_calling", name).model()
    with pytest.raises(StructuredOutputError, match="no value"):
        broken.with_structured_output(schema, method="function_calling").invoke("Hi")


@pytest.mark.parametrize("schema", [bool, Color, list[int]])
def test_json_mode_is_for_objects(schema: Any) -> None:
    with pytest.raises(ConfigurationError, match="json_schema"):
        Scripted([]).model().with_structured_output(schema, method="json_mode")


@pytest.mark.parametrize("schema", ["int", object(), 5, type("Plain", (), {})])
def test_a_value_that_is_not_a_type_is_refused(schema: Any) -> None:
    with pytest.raises(ConfigurationError, match="schema"):
        Scripted([]).model().with_structured_output(schema)


@pytest.mark.parametrize("constraint", [{"regex": r"\d{3}"}, {"grammar": 'root ::= "1" "2" "3"'}, {"choice": ["123"]}])
def test_a_regex_or_a_grammar_can_be_bound(constraint: dict[str, Any]) -> None:
    script = Scripted([Answer("123")])
    runnable = script.model().bind(structured_outputs=constraint) | StrOutputParser()
    assert (runnable.invoke("Hi"), "".join(runnable.stream("Hi"))) == ("123", "123")
    assert script.asked[0]["structured_outputs"] == constraint


def test_json_mode_needs_no_schema() -> None:
    script = Scripted([Answer('{"a": 1}')])
    assert script.model().with_structured_output(None, method="json_mode").invoke("Hi") == {"a": 1}
    assert script.asked[0]["response_format"] == {"type": "json_object"}


def test_a_code_fence_around_the_answer_is_removed() -> None:
    script = Scripted([Answer(f"```json\n{TEXT}\n```")])
    model = script.model().with_structured_output(TypedJoke, method="json_mode")
    assert model.invoke("Hi") == VALUE
    assert list(model.stream("Hi"))[-1] == VALUE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schema", [Joke, OlderJoke, DataJoke, SCHEMA])
@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ('{"setup": "Why?", "pun', "length", "truncated"),
        ('{"setup": "Why?", "pun', "stop", "."),
        ('{"setup": 5}', "stop", "."),
        ("[]", "stop", "."),
        ("", "stop", "empty|arguments"),
    ],
)
def test_an_answer_that_does_not_match_is_an_error(
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


def test_a_call_that_was_truncated_is_no_violation_by_the_server() -> None:
    model = Scripted([Answer('<tool_call>{"name": "Joke", "arguments": {"setup": "W', finish="length")]).model()
    with pytest.raises(StructuredOutputError, match="truncated by max_tokens") as caught:
        model.with_structured_output(Joke, method="function_calling").invoke("Hi")
    assert caught.value.code == "truncated"


def test_an_answer_that_is_all_reasoning_is_explained() -> None:
    with pytest.raises(StructuredOutputError, match="all of it is reasoning"):
        Scripted([Answer(reasoning=TEXT)]).model().with_structured_output(Joke).invoke("Hi")


class Node(BaseModel):
    name: str
    born: Optional[dt.date] = None  # noqa: UP045 - what people write
    children: list["Node"] = []


def test_a_recursive_schema_works() -> None:
    text = '{"name": "a", "born": "2020-01-02", "children": [{"name": "b", "children": []}]}'
    node = Scripted([Answer(text)]).model().with_structured_output(Node).invoke("Hi")
    assert node == Node(name="a", born=dt.date(2020, 1, 2), children=[Node(name="b")])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"schema": Joke, "method": "magic"}, "magic"),
        ({"schema": None}, "needs a schema"),
        ({"schema": 5}, "schema"),
        ({"schema": Joke, "method": "json_mode", "strict": True}, "strict"),
    ],
)
def test_an_invalid_schema_or_method_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Scripted([]).model().with_structured_output(**given)


async def test_a_call_of_a_tool_bound_beside_the_schema_is_kept_and_nothing_is_parsed() -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
    script = Scripted([Answer(calls=[("now", "{}")], finish="tool_calls")] * 3)
    ask = script.model(tool_parser="server").with_structured_output(Joke, tools=[tool], include_raw=True)
    for answer in (ask.invoke("Hi"), await ask.ainvoke("Hi")):
        assert (answer["parsed"], answer["parsing_error"]) == (None, None)
        assert [call["name"] for call in answer["raw"].tool_calls] == ["now"]
    assert script.model(tool_parser="server").with_structured_output(Joke, tools=[tool]).invoke("Hi") is None


PICKLED: list[Any] = [
    Joke,
    TypedJoke,
    DataJoke,
    {"title": "Joke", "type": "object", "properties": {"setup": {"type": "string"}}},
    Literal["a", "b"],
    list[int],
]


@pytest.mark.parametrize("schema", PICKLED)
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_runnable_is_pickled_and_names_its_output(schema: Any, method: Method) -> None:
    ask = Scripted([]).model().with_structured_output(schema, method=method)
    again = pickle.loads(pickle.dumps(ask))  # noqa: S301 - our own bytes
    assert again.get_output_jsonschema() == ask.get_output_jsonschema()
    if schema is Joke:
        assert ask.get_output_schema() is Joke
    if isinstance(schema, dict):
        assert ask.get_output_jsonschema()["properties"] == schema["properties"]
