"""Constraints hold, or the answer is an error: nothing that a server lets through is silently wrong.

`VLLM_PROOF=500 pytest -m live tests/live/test_constraints.py` tries 500 schemas, and twice as many forced calls.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from vllm_connect import (
    BadRequestError,
    ChatRequest,
    Completion,
    ConstraintError,
    VllmClient,
    VllmConfig,
    fold,
    lint_schema,
)
from vllm_connect.schema.rewrite import with_null_as_type

from tests.schemas import SCHEMAS

pytestmark = pytest.mark.live

TRIES = int(os.environ.get("VLLM_PROOF", "25"))
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two numbers.",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a", "b"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["C", "F"]}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    },
]
SPLIT: dict[str, Counter[str]] = {}


@pytest.fixture(scope="module", autouse=True)
def _report() -> Iterator[None]:
    yield
    for name, counts in SPLIT.items():
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        print(f"\n{name}: {sum(counts.values())} tries: {told}")


@pytest.fixture(scope="module")
def client(flagged_server: str) -> Iterator[VllmClient]:
    with VllmClient(VllmConfig(base_url=flagged_server, timeout=120)) as made:
        yield made


@pytest.fixture(scope="module")
def plain_client(plain_server: str) -> Iterator[VllmClient]:
    with VllmClient(VllmConfig(base_url=plain_server, timeout=120)) as made:
        yield made


def ask(client: VllmClient, *, stream: bool, **fields: Any) -> Completion:
    request = ChatRequest(temperature=1, **fields)
    if not stream:
        return client.complete(request)
    return fold([d for deltas in client.stream(request) for d in deltas], tools=request.tools)


def text_fits(schema: dict[str, Any], text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return bool(Draft202012Validator(with_null_as_type(schema)).is_valid(value))


def outcome(
    client: VllmClient, *, stream: bool, **fields: Any
) -> tuple[Completion | None, ConstraintError | BadRequestError | None]:
    """Ask, and give the answer or what kept it from being one."""
    try:
        return ask(client, stream=stream, reasoning=False, **fields), None
    except (ConstraintError, BadRequestError) as error:
        return None, error


def test_every_schema_is_kept_or_its_breach_an_error(client: VllmClient) -> None:
    counts = SPLIT["schemas"] = Counter[str]()

    @settings(max_examples=TRIES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(SCHEMAS)
    def holds(schema: dict[str, Any]) -> None:
        number = sum(counts.values())
        answer, error = outcome(
            client,
            stream=bool(number % 2),
            messages=[{"role": "user", "content": "Give me a value."}],
            structured_outputs={"json": schema, "disable_any_whitespace": True},
            max_tokens=100,
            seed=number,
        )
        if answer is not None:
            counts["kept"] += 1
            assert text_fits(schema, answer.text), (schema, answer.text)
        elif isinstance(error, BadRequestError):
            counts["refused by the server, which no value could fit"] += 1
            assert "nsatisfiable" in error.message, (schema, error.message)
        else:
            assert error is not None
            assert error.partial is not None
            counts["cut" if error.code == "truncated" else "broken"] += 1
            assert not text_fits(schema, error.partial.text)
            cut = error.partial.finish_reason == "length"
            assert error.code == ("truncated" if cut else "constraint")
            assert cut or lint_schema(schema), (schema, error.partial.text)

    holds()
    assert counts["kept"] > counts["broken"]


@pytest.mark.parametrize("server", ["parser", "parser, strict", "no parser"])
def test_every_forced_call_fits_or_is_an_error(request: pytest.FixtureRequest, server: str) -> None:
    client = request.getfixturevalue("plain_client" if server == "no parser" else "client")
    strict = {"strict": True} if "strict" in server else {}
    tools = [{**tool, "function": {**tool["function"], **strict}} for tool in TOOLS]
    counts = SPLIT[f"forced calls, {server}"] = Counter[str]()
    validators = {t["function"]["name"]: Draft202012Validator(t["function"]["parameters"]) for t in TOOLS}
    questions = ["What is 3 + 4?", "How is the weather in Paris?", "Tell me a joke.", "Hi"]
    for number in range(TRIES):
        choice = ["required", "add", "get_weather"][number % 3]
        answer, error = outcome(
            client,
            stream=bool(number % 2),
            messages=[{"role": "user", "content": questions[number % len(questions)]}],
            tools=tools,
            tool_choice=choice,
            max_tokens=80,
            seed=number,
        )
        if answer is not None:
            counts["kept"] += 1
            assert answer.tool_calls
            assert all(validators[call.name].is_valid(call.parsed()) for call in answer.tool_calls)
            assert choice == "required" or choice in [call.name for call in answer.tool_calls]
        else:
            assert isinstance(error, ConstraintError), error
            assert error.partial is not None
            counts["cut" if error.code == "truncated" else "broken"] += 1
            whole = [call for call in error.partial.tool_calls if validators[call.name].is_valid(call.parsed())]
            assert len(whole) < len(error.partial.tool_calls) or not whole
    assert counts["kept"]
    assert not counts["broken"] or server == "parser"  # such a server holds arguments only where `strict` says so


def test_every_schema_of_a_forced_call_is_kept_or_its_breach_an_error(plain_client: VllmClient) -> None:
    """Forced here by a structural tag, which takes one schema that the server refuses for none at all."""
    counts = SPLIT["schemas of forced calls, no parser"] = Counter[str]()

    @settings(max_examples=TRIES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(SCHEMAS)
    def holds(schema: dict[str, Any]) -> None:
        number = sum(counts.values())
        inner = {name: value for name, value in schema.items() if name != "$defs"}
        parameters = {"type": "object", "properties": {"value": inner}, "required": ["value"], "$defs": schema["$defs"]}
        answer, error = outcome(
            plain_client,
            stream=bool(number % 2),
            messages=[{"role": "user", "content": "Give me a value."}],
            tools=[{"type": "function", "function": {"name": "put", "parameters": parameters}}],
            tool_choice=["required", "put"][number // 2 % 2],
            parallel_tool_calls=False,
            max_tokens=100,
            seed=number,
        )
        if answer is not None:
            counts["kept"] += 1
            (call,) = answer.tool_calls
            assert Draft202012Validator(with_null_as_type(parameters)).is_valid(call.parsed())
        else:
            assert isinstance(error, ConstraintError), (schema, error)
            counts["cut" if error.code == "truncated" else "broken"] += 1
            assert error.code == "truncated" or lint_schema(parameters), (schema, error)
        assert plain_client.endpoints.capabilities.accepts_structural_tags, schema

    holds()
    assert counts["kept"] > counts["broken"]
