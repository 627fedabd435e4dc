"""What can be asked for beside a constraint: the schema in the prompt, JSON out of prose, refusals as errors, biases."""

import json
import math
from typing import Any

import pytest
from vllm_connect import (
    ChatRequest,
    Completion,
    ConstraintError,
    RefusalError,
    extract_json,
    mean_probability,
    sequence_logprob,
    token_entropies,
)
from vllm_connect.chat.validation import validate_answer

from tests.connect.chat.test_flow import first_body, run, said, start

SCHEMA = {"type": "object", "properties": {"größe": {"type": "integer"}}, "required": ["größe"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
FENCED = 'Sure!\n```json\n{"größe": 1}\n```\nAnything else?'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', '{"a": 1}'),
        (" 12 ", " 12 "),
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('Here:\n```\n[1]\n``` and ```\n{"b": 2}\n```', "[1]"),
        ('```python\nprint()\n```\n{"a": {"b": [1]}} is it', '{"a": {"b": [1]}}'),
        ('set {x} or {"a": 1}', '{"a": 1}'),
        ("no JSON {at all", "no JSON {at all"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_json_is_found_in_what_stands_round_it(text: str, found: str) -> None:
    assert extract_json(text) == found


def test_json_is_taken_out_when_asked() -> None:
    with pytest.raises(ConstraintError):
        run(start(tools=None, response_format=FORMAT), said(FENCED))
    answer, _ = run(start(tools=None, response_format=FORMAT, extract_json=True), said(FENCED))
    assert answer.text == '{"größe": 1}'
    assert answer.finish_reason == "stop"


def test_json_is_taken_out_of_the_first_of_two_phases() -> None:
    answer, asked = run(start(response_format=FORMAT, extract_json=True), said(FENCED))
    assert (answer.text, len(asked)) == ('{"größe": 1}', 1)


@pytest.mark.parametrize(
    ("constraint", "shown"),
    [
        ({"response_format": FORMAT}, json.dumps(SCHEMA, ensure_ascii=False)),
        ({"structured_outputs": {"json": SCHEMA}}, json.dumps(SCHEMA, ensure_ascii=False)),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "yes\nno"),
        ({"structured_outputs": {"regex": "[a-z]+"}}, "[a-z]+"),
        ({"structured_outputs": {"grammar": "root ::= x"}}, "root ::= x"),
        ({"response_format": {"type": "json_object"}}, "with nothing else."),
    ],
)
def test_a_constraint_is_shown_when_asked(constraint: dict[str, Any], shown: str) -> None:
    def sent(messages: list[dict[str, Any]], **fields: Any) -> list[dict[str, Any]]:
        body = first_body(start(tools=None, messages=messages, **fields))
        return list(body["messages"])

    hello = [{"role": "user", "content": "Hi"}]
    assert sent(hello, **constraint) == hello
    system, *rest = sent(hello, show_schema=True, **constraint)
    assert (system["role"], rest) == ("system", hello)
    assert system["content"].endswith(shown)
    first, *rest = sent([{"role": "system", "content": "Be brief."}, *hello], show_schema=True, **constraint)
    assert first["content"] == f"Be brief.\n\n{system['content']}"
    assert rest == hello
    parts = [{"type": "text", "text": "Be brief."}]
    first, *_ = sent([{"role": "system", "content": parts}, *hello], show_schema=True, **constraint)
    assert first["content"] == [*parts, {"type": "text", "text": system["content"]}]


def test_nothing_is_shown_where_nothing_is_asked() -> None:
    body = first_body(start(tools=None, show_schema=True))
    assert body["messages"] == [{"role": "user", "content": "Hi"}]
    assert not {"show_schema", "extract_json", "refusals"} & body.keys()


def test_a_refusal_is_text_or_an_error() -> None:
    refused = said("", refusal="I cannot help with that.")
    answer, _ = run(start(tools=None, response_format=FORMAT), refused)
    assert (answer.text, answer.metadata["refused"]) == ("I cannot help with that.", True)
    with pytest.raises(RefusalError) as caught:
        run(start(tools=None, refusals="error"), refused)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "I cannot help with that."
    assert "cannot help" not in str(caught.value)
    assert run(start(tools=None, refusals="error"), said("Hello."))[0].text == "Hello."


def test_an_answer_that_is_not_checked_may_be_anything() -> None:
    request = ChatRequest(messages=[{"role": "user", "content": "Hi"}], response_format=FORMAT, check_constraints=False)
    validate_answer(request, Completion(text="Prose.", finish_reason="stop"))


def test_probabilities_are_of_the_whole_answer() -> None:
    half = {"token": "a", "logprob": math.log(0.5), "top_logprobs": []}
    sure = {"token": "b", "logprob": 0.0, "top_logprobs": [{"token": "b", "logprob": 0.0}]}
    even = {
        **half,
        "top_logprobs": [{"token": "a", "logprob": math.log(0.5)}, {"token": "c", "logprob": math.log(0.25)}],
    }
    assert sequence_logprob([half, half]) == pytest.approx(math.log(0.25))
    assert mean_probability([half, half, sure, sure]) == pytest.approx(0.5**0.5)
    assert mean_probability([]) == 1
    assert token_entropies([half, sure, even]) == pytest.approx([math.log(2), 0, 1.5 * math.log(2)])
