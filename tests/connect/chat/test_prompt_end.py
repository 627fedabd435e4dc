"""Where the reasoning begins is asked once, and what follows for text and calls."""

import json
import math
from typing import Any

import pytest
from vllm_connect import ChatRequest, ConnectionFailedError, ReasoningDelta, TextDelta, ToolCallDelta, fold
from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.steps import Outcome, Round, Wait
from vllm_connect.protocol.server_info import ServerInfo

from tests.connect.chat.test_flow import CALL, TOOL, called, run, said, start, steps_over

QWEN = "Qwen/Qwen3-8B"
TOKENS = (200, {"tokens": list(range(40)), "count": 40, "max_model_len": 99})
OPEN, CLOSED = (200, {"prompt": "assistant\n<think>\n"}), (200, {"prompt": "assistant\n"})
DRAFT = f"Shall I? {CALL} No.\n</think>\n\nHello."


def known() -> ServerCapabilities:
    return ServerCapabilities(info=ServerInfo())


def test_the_prompt_is_asked_about_once_for_each_arguments_of_the_template() -> None:
    capabilities = known()
    answer, asked = run(start(capabilities, model=QWEN), TOKENS, OPEN, said("Hm.\n</think>\n\nHello."))
    assert (answer.reasoning, answer.text) == ("Hm.", "Hello.")
    assert [path for path, _ in asked] == ["/tokenize", "/detokenize", "/v1/chat/completions"]
    assert asked[0][1] == {"model": QWEN, "messages": [{"role": "user", "content": "Hi"}]}
    assert asked[1][1] == {"model": QWEN, "tokens": list(range(24, 40))}
    _, asked = run(start(capabilities, model=QWEN), said("Hm.\n</think>\n\nHello."))
    assert len(asked) == 1
    other = start(capabilities, model=QWEN, chat_template_kwargs={"x": 1})
    _, asked = run(other, TOKENS, CLOSED, said("Hello."))
    assert asked[0][1]["chat_template_kwargs"] == {"x": 1}


@pytest.mark.parametrize("fields", [{"model": "m"}, {"reasoning_parser": "qwen3"}, {"continue_final_message": True}])
def test_what_is_settled_without_a_question(fields: dict[str, Any]) -> None:
    _, asked = run(start(known(), **{"model": QWEN, **fields}), said("Hello."))
    assert [path for path, _ in asked] == ["/v1/chat/completions"]


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "Qwen/QwQ-32B"])
def test_reasoning_that_was_turned_off_and_comes_all_the_same_is_reasoning(model: str) -> None:
    answer, _ = run(start(known(), model=model, reasoning=False, tool_parser="hermes"), said(DRAFT))
    assert (answer.tool_calls, answer.text) == ((), "Hello.")
    answer, _ = run(start(known(), model=model, reasoning="none", tools=None), said("Hello."))
    assert (answer.reasoning, answer.text) == ("", "Hello.")


@pytest.mark.parametrize("answers", [(TOKENS, OPEN), (TOKENS, (404, {})), ()])
def test_a_call_that_was_only_considered_is_not_executed(answers: tuple[tuple[int, Any], ...]) -> None:
    answer, _ = run(start(known(), model=QWEN, tool_parser="hermes"), *answers, said(DRAFT))
    assert (answer.tool_calls, answer.invalid_tool_calls) == ((), ())
    assert answer.text == "Hello."
    assert answer.reasoning.startswith("Shall I?")
    assert answer.reasoning.endswith("No.")


def test_a_prompt_that_leaves_the_reasoning_closed_lets_calls_through_at_once() -> None:
    event = {"choices": [{"index": 0, "delta": {"content": CALL}}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    body = b"".join(f"data: {json.dumps(each)}\n\n".encode() for each in (event, end)) + b"data: [DONE]\n\n"
    steps = start(known(), model=QWEN, tool_parser="hermes", stream=True)
    parts = [part for part in steps_over(steps, [TOKENS, CLOSED, (200, body)], []) if part]
    assert any(isinstance(delta, ToolCallDelta) for delta in parts[0])
    assert called(fold([delta for part in parts for delta in part], tools=[TOOL])) == [("f", {"x": 1})]


def test_a_call_that_ends_reasoning_split_off_by_the_server() -> None:
    answer, _ = run(start(known()), said("", reasoning=f"I should.\n{CALL}"))
    assert called(answer) == [("f", {"x": 1})]
    assert (answer.reasoning, answer.finish_reason) == ("I should.", "tool_calls")
    assert answer.metadata["tool_calls_in_reasoning"] == [answer.tool_calls[0].id]


@pytest.mark.parametrize(
    "message",
    [
        {"content": "\n\n  Hello.", "reasoning": f"Shall I? {CALL}"},
        {"content": "Hello.", "reasoning": f"Shall I? {CALL} No."},
        {"content": "", "reasoning": f"Shall I? {CALL} No."},
    ],
)
def test_a_call_in_reasoning_that_goes_on_is_not_executed(message: dict[str, Any]) -> None:
    answer, _ = run(start(known(), tool_parser="hermes"), said(**message))
    assert answer.tool_calls == ()
    assert answer.text.strip() == message["content"].strip()
    assert answer.text == message["content"].lstrip("\n")
    assert "<tool_call>" in answer.reasoning


def test_calls_in_reasoning_can_be_switched_off() -> None:
    request = start(known(), calls_in_reasoning=False)
    answer, _ = run(request, said("", reasoning=f"I should.\n{CALL}"))
    assert answer.tool_calls == ()


def test_a_json_answer_may_quote_the_markers_of_reasoning() -> None:
    text = '{"text": "</think>"}'
    request = start(known(), tools=None, response_format={"type": "json_object"})
    answer, _ = run(request, said(text))
    assert (answer.text, answer.reasoning) == (text, "")


def test_the_first_deltas_of_a_stream_say_what_is_known_then() -> None:
    event = {"choices": [{"index": 0, "delta": {"content": "Hm."}}]}
    body = f"data: {json.dumps(event)}\n\n".encode()
    for prompt, kind in ((OPEN, ReasoningDelta), (CLOSED, TextDelta)):
        parts = steps_over(start(known(), model=QWEN, stream=True, tools=None), [TOKENS, prompt, (200, body)], [])
        assert [type(delta) for part in [next(parts) for _ in range(5)] for delta in part] == [kind]


def test_the_option_is_no_longer_a_plain_switch() -> None:
    assert ChatRequest(messages=[]).calls_in_reasoning is None


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("deepseek-ai/DeepSeek-V4-Flash", "Think.\n</think>\n\nHi."),
        ("zai-org/GLM-5.1", "Think.\n</think>\n\nHi."),
        ("moonshotai/Kimi-K2.5", "Think.\n</think>\n\nHi."),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", "Think.\n</think>\n\nHi."),
        ("Qwen/Qwen3.6-27B", "Think.\n</think>\n\nHi."),
        ("my-finetune", "Think.\n</think>\n\nHi."),
        (
            "openai/gpt-oss-20b",
            "<|channel|>analysis<|message|>Think.<|end|><|start|>assistant<|channel|>final<|message|>Hi.",
        ),
        ("moonshotai/Kimi-K3", "<|open|>think<|sep|>Think.<|close|>think<|sep|>Hi."),
        ("thinkingmachines/Inkling", "<|content_thinking|>Think.<|end_message|>Hi."),
        ("pfnet/plamo-3-x", "<|plamo:begin_think:plamo|>Think.<|plamo:end_think:plamo|>Hi."),
        ("ibm-granite/granite-3.2-8b", "Here is my thought process: Think. Here is my response: Hi."),
    ],
)
def test_the_reasoning_of_a_family_is_read_without_a_server_that_says_where_it_begins(model: str, text: str) -> None:
    answer, _ = run(start(known(), model=model, tools=None), said(text))
    assert (answer.reasoning, answer.text.lstrip(" ")) == ("Think.", "Hi.")


def test_reasoning_with_the_effort_none_is_off_for_a_family_whose_prompt_begins_it() -> None:
    qwq = "Qwen/QwQ-32B"
    answer, _ = run(start(known(), model=qwq, reasoning="none", tools=None), said("Hello."))
    assert (answer.reasoning, answer.text) == ("", "Hello.")
    answer, _ = run(start(known(), model=qwq, reasoning="low", tools=None), said("Hm.\n</think>\n\nHello."))
    assert (answer.reasoning, answer.text) == ("Hm.", "Hello.")


@pytest.mark.parametrize(("effort", "kind"), [("none", TextDelta), (False, TextDelta), ("low", ReasoningDelta)])
def test_a_stream_of_such_a_family_begins_with_the_answer_where_reasoning_is_off(effort: Any, kind: type) -> None:
    event = {"choices": [{"index": 0, "delta": {"content": "Hm."}}]}
    body = f"data: {json.dumps(event)}\n\n".encode()
    steps = start(known(), model="Qwen/QwQ-32B", reasoning=effort, stream=True, tools=None)
    parts = steps_over(steps, [TOKENS, (404, {}), (200, body)], [])
    assert [type(delta) for part in [next(parts) for _ in range(5)] for delta in part] == [kind]


def test_a_server_that_cannot_say_is_asked_once() -> None:
    capabilities = known()
    run(start(capabilities, model=QWEN, tools=None), said("Hello."))
    first = next(start(capabilities, model=QWEN, tools=None))
    assert isinstance(first, Round)
    assert first.request.path == "/v1/chat/completions"


def test_the_question_is_not_retried_and_the_request_after_it_is() -> None:
    steps = start(known(), retries=1, model=QWEN, tools=None)
    first = next(steps)
    assert isinstance(first, Round)
    assert first.request.path == "/tokenize"
    unreachable = ConnectionFailedError("cannot connect", retryable=True)
    second = steps.send(Outcome(unreachable, math.inf))
    assert isinstance(second, Round)
    assert second.request.path == "/v1/chat/completions"
    assert isinstance(steps.send(Outcome(unreachable, math.inf)), Wait)
