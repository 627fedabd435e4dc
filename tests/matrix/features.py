"""What can be asked of an answer, and how it is seen that it was kept."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import BaseModel

__all__ = ["FEATURES", "Feature", "Person", "Seen"]


class Person(BaseModel):
    """A person."""

    name: str
    city: str


@dataclass(frozen=True)
class Seen:
    """An answer, in whichever framework it came.

    Attributes:
        text: Its text.
        reasoning: Its reasoning.
        calls: The tools called, with their arguments.
        value: The object, where one was asked for.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    value: Any = None


@dataclass(frozen=True)
class Feature:
    """One thing to ask.

    Attributes:
        name: What people call it.
        question: The user's message.
        kept: Checks whether an answer has it.
        fields: The fields of the request.
        objects: Ask for a `Person` in the framework's own way.
    """

    name: str
    question: str
    kept: Callable[[Seen], bool]
    fields: dict[str, Any] = field(default_factory=dict)
    objects: bool = False


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "city": {"type": "string"}},
    "required": ["name", "city"],
    "additionalProperties": False,
}
VERDICT = {
    "type": "object",
    "properties": {"verdict": {"enum": ["yes", "no"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ALICE = "Extract the person: Alice lives in Paris."
PARIS = "What is the weather in Paris?"


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _fits(schema: dict[str, Any]) -> Callable[[Seen], bool]:
    return lambda seen: bool(Draft202012Validator(schema).is_valid(json.loads(seen.text)))


def _calls_weather(seen: Seen) -> bool:
    return bool(seen.calls) and all(name == "get_weather" and "city" in arguments for name, arguments in seen.calls)


FEATURES = [
    Feature("typed object", ALICE, lambda seen: isinstance(seen.value, Person), objects=True),
    Feature("JSON schema, `response_format`", ALICE, _fits(SCHEMA), {"response_format": _format(SCHEMA)}),
    Feature("JSON schema, `structured_outputs`", ALICE, _fits(SCHEMA), {"structured_outputs": {"json": SCHEMA}}),
    Feature(
        "JSON object",
        ALICE,
        lambda seen: isinstance(json.loads(seen.text), dict),
        {"response_format": {"type": "json_object"}},
    ),
    Feature(
        "choice", "Hello", lambda seen: seen.text in ("yes", "no"), {"structured_outputs": {"choice": ["yes", "no"]}}
    ),
    Feature(
        "regular expression",
        "Hello",
        lambda seen: re.fullmatch(r"\d{2}-\d{2}", seen.text) is not None,
        {"structured_outputs": {"regex": r"\d{2}-\d{2}"}},
    ),
    Feature(
        "grammar",
        "Hello",
        lambda seen: seen.text in ("up", "down"),
        {"structured_outputs": {"grammar": 'root ::= "up" | "down"'}},
    ),
    Feature("required tool", PARIS, _calls_weather, {"tools": [WEATHER], "tool_choice": "required"}),
    Feature("named tool", PARIS, _calls_weather, {"tools": [WEATHER], "tool_choice": "get_weather"}),
    Feature(
        "tools and a schema: a call", PARIS, _calls_weather, {"tools": [WEATHER], "response_format": _format(VERDICT)}
    ),
    Feature(
        "tools and a schema: an answer",
        "Hello",
        _fits(VERDICT),
        {"tools": [WEATHER], "response_format": _format(VERDICT)},
    ),
    Feature(
        "thinking on",
        PARIS,
        lambda seen: bool(seen.reasoning.strip() and seen.calls),
        {"reasoning": True, "tools": [WEATHER]},
    ),
    Feature("thinking off", "Hello", lambda seen: bool(seen.text) and not seen.reasoning.strip(), {"reasoning": False}),
]
