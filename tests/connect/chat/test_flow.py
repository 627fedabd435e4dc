"""How tool calls come about: the server's parser, recovery, the second try, forced calls."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from vllm_connect import (
    BadRequestError,
    ChatRequest,
    Completion,
    ConfigurationError,
    ConstraintError,
    ContextOverflowError,
    Delta,
    ServerFailureError,
    StreamInterruptedError,
    VllmError,
    fold,
)
from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.flow import chat_call
from vllm_connect.chat.steps import CallContext, Outcome, Round, Steps, Wait
from vllm_connect.config.config import VllmConfig
from vllm_connect.protocol.server_info import ServerInfo
from vllm_connect.transport.retry import RetryBudget, RetryPolicy

TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    },
}
CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
NO_PARSER = (
    400,
    {"error": {"message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'}},
)
MODELS = (200, {"data": [{"id": "m", "root": "Qwen/Qwen3-8B"}]})


def said(content: str, finish: str = "stop", **message: Any) -> tuple[int, Any]:
    return 200, {"choices": [{"index": 0, "message": {"content": content, **message}, "finish_reason": finish}]}


def start(capabilities: ServerCapabilities | None = None, retries: int = 0, **fields: Any) -> Steps[None]:
    hello = [{"role": "user", "content": "Hi"}]
    request = ChatRequest(**{"messages": hello, "model": "m", "tools": [TOOL], **fields})
    context = CallContext(
        policy=RetryPolicy(VllmConfig(max_retries=retries), lambda: 0.5),
        budget=RetryBudget(),
        scrub=str,
        clock=lambda: 0.0,
        capabilities=capabilities or ServerCapabilities(info=ServerInfo()),
        new_id=lambda name, index: f"{name}{index}",
    )
    return chat_call(request, context)


Asked = list[tuple[str, Any]]


def steps_over(steps: Steps[None], answers: Sequence[tuple[int, Any]], asked: Asked) -> Iterator[list[Delta]]:
    """Carry the steps of a call out over answers; yield the deltas that the caller gets.

    Without an answer for it, the server has no /tokenize.
    """
    left = list(answers)
    body: Any
    step = next(steps, None)
    while step is not None:
        assert not isinstance(step, Wait)
        if isinstance(step, Round):
            request, reader = step
            if request.path == "/tokenize" and "tokens" not in left[0][1]:
                status, body = 404, b"{}"
            else:
                asked.append((request.path, json.loads(request.body) if request.body else None))
                status, body = left.pop(0)
            streamed = isinstance(body, bytes) and status == 200
            reader.begin(status, {"content-type": "text/event-stream" if streamed else "application/json"})
            yield reader.push(body if isinstance(body, bytes) else json.dumps(body).encode())
            yield reader.finish()
        else:
            yield step
        try:
            step = steps.send(Outcome(None, math.inf))
        except StopIteration:
            break
    assert not left


def run(steps: Steps[None], *answers: tuple[int, Any]) -> tuple[Completion, Asked]:
    """Carry a call out over answers; return what it folds to, and what it asked."""
    asked: Asked = []
    deltas = [delta for some in steps_over(steps, answers, asked) for delta in some]
    return fold(deltas, tools=[TOOL]), asked


def first_body(steps: Steps[None]) -> dict[str, Any]:
    """Return the body of a call's first request."""
    step = next(steps)
    assert isinstance(step, Round)
    return dict(json.loads(step.request.body))


def called(completion: Completion) -> list[tuple[str, Any]]:
    return [(call.name, call.parsed()) for call in completion.tool_calls]


@pytest.mark.parametrize("tool_parser", ["auto", "server", "hermes"])
def test_a_name_that_the_server_passes_on_damaged_is_cleaned(tool_parser: str) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f<|channel|>commentary", "arguments": '{"x": 1}'}}
    answer, _ = run(start(tool_parser=tool_parser), said("", "tool_calls", tool_calls=[call]))
    assert called(answer) == [("f", {"x": 1})]


def test_the_server_parses() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    answer, asked = run(start(), said("", "tool_calls", tool_calls=[call]))
    assert called(answer) == [("f", {"x": 1})]
    assert answer.metadata["tool_calls_via"] == "server"
    assert "tool_choice" not in asked[0][1]


def test_a_call_left_in_the_text_is_recovered() -> None:
    answer, _ = run(start(), said(f"Well.{CALL}"))
    assert called(answer) == [("f", {"x": 1})]
    assert (answer.text, answer.finish_reason) == ("Well.", "tool_calls")
    assert answer.metadata["tool_calls_via"] == "recovered:auto"


@pytest.mark.parametrize("text", [CALL[:-30], CALL.replace('"f"', '"g"'), CALL.replace("1", '"one"')])
def test_an_incomplete_undeclared_or_invalid_call_stays_text(text: str) -> None:
    answer, _ = run(start(), said(text))
    assert (answer.text, answer.tool_calls, answer.finish_reason) == (text, (), "stop")
    assert "tool_calls_via" not in answer.metadata


def test_without_a_parser_the_request_goes_again_and_is_parsed_here() -> None:
    capabilities = ServerCapabilities()
    answer, asked = run(start(capabilities), NO_PARSER, MODELS, said(CALL))
    assert called(answer) == [("f", {"x": 1})]
    assert answer.metadata["tool_calls_via"] == "client:hermes"
    assert [path for path, _ in asked] == ["/v1/chat/completions", "/v1/models", "/v1/chat/completions"]
    assert asked[2][1]["tool_choice"] == "none"
    assert asked[2][1]["skip_special_tokens"] is False
    assert asked[2][1]["tools"] == [TOOL]
    again, asked = run(start(capabilities), said(CALL))
    assert called(again) == [("f", {"x": 1})]
    assert len(asked) == 1


def test_models_that_cannot_be_asked_for_do_no_harm() -> None:
    answer, _ = run(start(), NO_PARSER, (500, {"error": "no"}), said(CALL))
    assert answer.metadata["tool_calls_via"] == "client:auto"


@pytest.mark.parametrize("choice", ["required", "f"])
def test_a_forced_call_in_the_models_own_format(choice: str) -> None:
    answer, asked = run(start(tool_choice=choice), NO_PARSER, MODELS, said(f"<think>hm</think>\n\n{CALL}"))
    assert called(answer) == [("f", {"x": 1})]
    assert (answer.reasoning, answer.metadata["tool_calls_via"]) == ("hm", "forced")
    tag = json.loads(asked[2][1]["structured_outputs"]["structural_tag"])
    assert tag["type"] == "structural_tag"
    assert asked[2][1]["tool_choice"] == "none"


@pytest.mark.parametrize(
    ("choice", "text"), [("required", '[{"name": "f", "parameters": {"x": 1}}]'), ("f", '{"x": 1}')]
)
def test_a_server_without_structural_tags_gets_a_schema(choice: str, text: str) -> None:
    capabilities = ServerCapabilities()
    refused = (400, {"error": {"message": "structural tags are not supported"}})
    answer, asked = run(start(capabilities, tool_choice=choice), NO_PARSER, MODELS, refused, said(text))
    assert called(answer) == [("f", {"x": 1})]
    assert asked[3][1]["structured_outputs"]["disable_any_whitespace"] is True
    assert "json" in asked[3][1]["structured_outputs"]
    assert not capabilities.accepts_structural_tags


def test_a_request_that_is_refused_for_something_else_says_nothing_of_structural_tags() -> None:
    capabilities = ServerCapabilities()
    refused = (400, {"error": {"message": "temperature must be positive"}})
    steps = start(capabilities, tool_parser="hermes", tool_choice="required")
    with pytest.raises(BadRequestError, match="temperature"):
        run(steps, refused, refused)
    assert capabilities.accepts_structural_tags


def test_a_structural_tag_says_as_much_of_a_schema_as_a_server_takes() -> None:
    parameters = {"type": "object", "properties": {"x": {"type": "integer", "maximum": 2**63, "const": 1}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    _, asked = run(start(tools=[tool], tool_parser="hermes", tool_choice="f"), said(CALL))
    body = asked[0][1]
    tag = json.loads(body["structured_outputs"]["structural_tag"])
    alone, after_thinking = (answer["elements"] for answer in tag["format"]["elements"])
    assert after_thinking[1:] == alone
    (call,) = alone[0]["tags"]
    assert call["content"]["json_schema"]["properties"] == {"x": {"type": "integer", "enum": [1]}}
    assert body["tools"] == [tool]


def test_a_full_context_is_not_taken_for_a_refused_structural_tag() -> None:
    full = (400, {"error": {"message": "This model's maximum context length is 4096 tokens"}})
    with pytest.raises(ContextOverflowError):
        run(start(tool_parser="hermes", tool_choice="required"), full)


EVEN = {"type": "object", "properties": {"x": {"type": "integer", "multipleOf": 2}}, "required": ["x"]}


@pytest.mark.parametrize("parser", ["auto", "server"])
@pytest.mark.parametrize(
    ("choice", "strict", "becomes_grammar"),
    [("required", {}, True), ("f", {}, True), (None, {"strict": True}, True), (None, {}, False)],
)
def test_tools_of_which_the_server_makes_a_grammar_have_a_schema_that_it_supports(
    parser: str, choice: str | None, strict: dict[str, bool], becomes_grammar: bool
) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": EVEN, **strict}}
    body = first_body(start(tools=[tool], tool_choice=choice, tool_parser=parser))
    sent = body["tools"][0]["function"]["parameters"]["properties"]["x"]
    assert sent == ({"type": "integer"} if becomes_grammar else {"type": "integer", "multipleOf": 2})


def test_a_name_goes_straight_to_our_parser() -> None:
    answer, asked = run(start(tool_parser="hermes"), said(CALL))
    assert called(answer) == [("f", {"x": 1})]
    assert asked[0][1]["tool_choice"] == "none"


@pytest.mark.parametrize("parallel", [True, False])
def test_whether_calls_are_parallel_is_not_sent_where_they_are_parsed_here(parallel: bool) -> None:
    body = first_body(start(tool_parser="hermes", parallel_tool_calls=parallel))
    assert "parallel_tool_calls" not in body
    assert first_body(start(parallel_tool_calls=parallel))["parallel_tool_calls"] is parallel


def test_server_switches_all_of_it_off() -> None:
    answer, _ = run(start(tool_parser="server"), said(CALL))
    assert (answer.text, answer.tool_calls) == (CALL, ())
    with pytest.raises(BadRequestError, match="--enable-auto-tool-choice"):
        run(start(tool_parser="server"), NO_PARSER)


def test_a_failure_is_given_up_with_its_attempts() -> None:
    with pytest.raises(ServerFailureError) as caught:
        run(start(), (500, {"error": {"message": "engine died"}}))
    assert caught.value.attempts == 1


def test_reasoning_is_split_where_the_server_did_not() -> None:
    answer, _ = run(start(tools=None), said("<think>hm</think>Hello"))
    assert (answer.reasoning, answer.text) == ("hm", "Hello")
    answer, _ = run(start(tools=None, reasoning_parser=None), said("<think>hm</think>Hello"))
    assert (answer.reasoning, answer.text) == ("", "<think>hm</think>Hello")


def test_reasoning_that_the_server_split_is_left_alone() -> None:
    answer, _ = run(start(tools=None), said("a <think> tag", reasoning="hm"))
    assert (answer.reasoning, answer.text) == ("hm", "a <think> tag")


def test_an_answer_filed_under_reasoning_can_be_promoted() -> None:
    filed = said("", reasoning="The answer.")
    answer, _ = run(start(tools=None, reasoning_as_answer=True), filed)
    assert (answer.text, answer.metadata["reasoning_promoted"]) == ("The answer.", True)
    for tools in (None, [TOOL]):
        answer, _ = run(start(tools=tools), filed)
        assert (answer.text, answer.reasoning, answer.finish_reason) == ("", "The answer.", "stop")
        assert "reasoning_as_answer=True" in answer.metadata["advice"]


def test_thinking_that_used_up_the_tokens_is_said() -> None:
    answer, _ = run(start(), said("", "length", reasoning="Hm"))
    assert answer.metadata["thinking_exhausted"] is True
    assert "max_tokens" in answer.metadata["advice"]
    answer, _ = run(start(tools=None), said("<think>Hm", "length"))
    assert (answer.reasoning, answer.metadata["thinking_exhausted"]) == ("Hm", True)


EATEN = (
    200,
    {
        "choices": [{"index": 0, "message": {"content": "\n", "reasoning": "hm"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 30},
    },
)


def tokens(ids: list[int], **choice: Any) -> tuple[int, Any]:
    message = {"content": "Well.", **choice.pop("message", {})}
    whole = {"index": 0, "message": message, "finish_reason": "stop", "token_ids": ids, **choice}
    return 200, {"choices": [whole]}


def words(text: str) -> tuple[int, Any]:
    return 200, {"prompt": text}


def test_a_call_that_the_server_ate_is_asked_for_again_and_that_is_remembered() -> None:
    capabilities = ServerCapabilities()
    answer, asked = run(start(capabilities), EATEN, tokens([7, 8, 2]), words(f"Well.{CALL}"))
    assert called(answer) == [("f", {"x": 1})]
    assert (answer.text.strip(), answer.finish_reason) == ("Well.", "tool_calls")
    assert "advice" not in answer.metadata
    assert answer.metadata["retry_reason"] == "the server's parser dropped the first answer"
    assert [path for path, _ in asked] == ["/v1/chat/completions", "/v1/chat/completions", "/detokenize"]
    assert (asked[1][1]["tool_choice"], asked[1][1]["return_token_ids"]) == ("none", True)
    assert asked[2][1] == {"model": "m", "tokens": [7, 8]}
    assert "token_ids" not in answer.metadata
    assert answer.reasoning == "hm"
    again, asked = run(start(capabilities), tokens([7, 2]), words(CALL))
    assert called(again) == [("f", {"x": 1})]
    assert len(asked) == 2


@pytest.mark.parametrize(("second", "all_of_it"), [("hm", "hm"), ("\nhm\n", "hm"), ("ah", "hmah")])
@pytest.mark.parametrize("by_server", [True, False])
def test_reasoning_is_not_repeated_after_a_retry(second: str, all_of_it: str, by_server: bool) -> None:
    thought = tokens([7, 2], message={"reasoning": second}) if by_server else tokens([7, 2])
    answer, _ = run(start(), EATEN, thought, words(f"<think>{second}</think>{CALL}"))
    assert answer.reasoning == all_of_it


def test_an_answer_that_is_really_empty_stays_so() -> None:
    status, body = EATEN
    few = {**body, "usage": {"prompt_tokens": 9, "completion_tokens": 5}}
    answer, asked = run(start(), (status, few))
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("", "hm", "stop")
    assert len(asked) == 1
    answer, asked = run(start(text_source="content"), EATEN)
    assert (answer.reasoning, answer.finish_reason, len(asked)) == ("hm", "stop", 1)


@pytest.mark.parametrize(
    ("choice", "text", "ids"),
    [
        ({"finish_reason": "length"}, CALL, [7, 8]),
        ({"stop_reason": 8}, CALL, [7]),
        ({"stop_reason": "END"}, f"{CALL}END of", [7, 8]),
    ],
)
def test_token_ids_lose_what_ended_them_and_nothing_else(choice: dict[str, Any], text: str, ids: list[int]) -> None:
    fields: dict[str, Any] = {"text_source": "token_ids", "stop": ["END"], "return_token_ids": True}
    answer, asked = run(start(**fields), tokens([7, 8], **choice), words(text))
    found = [(call.name, call.arguments) for call in answer.tool_calls]
    not_executed = [(call.name, call.arguments) for call in answer.invalid_tool_calls]
    assert [*found, *not_executed] == [("f", '{"x": 1}')]
    assert bool(found) == ("stop_reason" in choice), "a truncated answer may be reasoning, and its call a draft"
    assert answer.text == ""
    assert asked[1][1]["tokens"] == ids
    assert answer.metadata["token_ids"] == [7, 8]


def test_reasoning_that_the_server_split_off_is_not_read_twice() -> None:
    thought = tokens([7, 2], message={"reasoning": "hm"})
    answer, _ = run(start(text_source="token_ids"), thought, words(f"<think>hm</think>{CALL}"))
    assert (answer.reasoning, answer.text) == ("hm", "")
    assert called(answer) == [("f", {"x": 1})]


def test_a_server_without_detokenize_is_told_of_and_the_answer_kept() -> None:
    thought = tokens([7, 2], message={"reasoning": "hm"})
    asked: Asked = []
    with pytest.raises(VllmError, match="needs /detokenize") as caught:
        list(
            steps_over(start(text_source="token_ids", tool_parser="hermes"), [thought, (404, {"detail": "no"})], asked)
        )
    assert [path for path, _ in asked] == ["/v1/chat/completions", "/detokenize"]
    assert caught.value.partial is not None
    assert caught.value.partial.reasoning == "hm"


def test_an_answer_from_the_completions_endpoint() -> None:
    fields: dict[str, Any] = {"text_source": "completions", "reasoning": True, "reasoning_effort": "low", "top_k": 3}
    rendered = (200, {"count": 3, "max_model_len": 100, "tokens": [1, 2, 3]})
    said_there = (200, {"choices": [{"index": 0, "text": f"<think>hm</think>{CALL}", "finish_reason": "stop"}]})
    answer, asked = run(start(**fields), rendered, said_there)
    assert called(answer) == [("f", {"x": 1})]
    assert (answer.reasoning, answer.text) == ("hm", "")
    assert [path for path, _ in asked] == ["/tokenize", "/v1/completions"]
    assert asked[0][1]["tools"] == [TOOL]
    assert asked[0][1]["chat_template_kwargs"] == {"reasoning_effort": "low", "enable_thinking": True, "thinking": True}
    assert asked[1][1] == {
        "model": "m",
        "prompt": [1, 2, 3],
        "top_k": 3,
        "max_tokens": 97,
        "skip_special_tokens": False,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": True},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
    ],
)
def test_what_the_completions_endpoint_cannot_do_is_said_before(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="text_source"):
        next(start(text_source="completions", **fields))


PYTHON_CALL = CALL.replace('{"x": 1}', "{'x': 1}")


@pytest.mark.parametrize("fields", [{"tool_parser": "hermes"}, {"tool_parser": "server"}])
def test_repair_is_done_when_asked_for_whoever_parsed(fields: dict[str, Any]) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{'x': 1}"}}
    told = said("", tool_calls=[call]) if fields["tool_parser"] == "server" else said(PYTHON_CALL)
    plain, _ = run(start(**fields), told)
    assert (plain.tool_calls, len(plain.invalid_tool_calls)) == ((), 1)
    answer, asked = run(start(**fields, repair=True), told)
    assert called(answer) == [("f", {"x": 1})]
    assert answer.metadata["repaired_tool_calls"] == [answer.tool_calls[0].id]
    assert "repair" not in asked[0][1]


@pytest.mark.parametrize("parser", ["hermes", "server"])
def test_one_call_where_one_was_asked_for_whoever_parsed(parser: str) -> None:
    calls = [{"id": i, "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}} for i in "ab"]
    told = said("", tool_calls=calls) if parser == "server" else said(CALL + CALL)
    answer, _ = run(start(tool_parser=parser, parallel_tool_calls=False, reasoning_parser=None), told)
    assert called(answer) == [("f", {"x": 1})]
    assert answer.metadata["dropped_tool_calls"] == [{"name": "f", "arguments": '{"x": 1}'}]


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORM: dict[str, Any] = {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}}


def counted(answer: tuple[int, Any]) -> tuple[int, Any]:
    status, body = answer
    return status, {**body, "usage": {"prompt_tokens": 9, "completion_tokens": 4}}


@pytest.mark.parametrize("text", ['{"n": 1}', CALL])
def test_a_call_or_what_fits_the_schema_is_the_answer_at_once(text: str) -> None:
    answer, asked = run(start(**FORM), said(text))
    assert len(asked) == 1
    assert "response_format" not in asked[0][1]
    assert (answer.text, len(answer.tool_calls)) == (("", 1) if text == CALL else (text, 0))
    assert "unconstrained_draft" not in answer.metadata


def test_another_text_is_asked_for_again_in_the_form() -> None:
    answer, asked = run(start(**FORM), counted(said("It is one.")), counted(said('{"n": 1}')))
    assert answer.text == '{"n": 1}'
    assert answer.metadata["unconstrained_draft"] == "It is one."
    assert asked[1][1]["response_format"] == FORM["response_format"]
    assert (asked[1][1]["tool_choice"], asked[1][1]["tools"]) == ("none", [TOOL])
    assert asked[0][1]["messages"] == asked[1][1]["messages"]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (18, 8)


def test_two_phases_without_a_parser() -> None:
    answer, asked = run(start(**FORM), NO_PARSER, MODELS, said("It is one."), said('{"n": 1}'))
    assert answer.text == '{"n": 1}'
    assert [body and "response_format" in body for _, body in asked] == [False, None, False, True]
    answer, _ = run(start(**FORM), NO_PARSER, MODELS, said(CALL))
    assert called(answer) == [("f", {"x": 1})]


def test_two_phases_past_a_parser_that_eats() -> None:
    first = (tokens([7, 2]), words("It is one."))
    answer, asked = run(start(**FORM, text_source="token_ids"), *first, said('{"n": 1}'))
    assert (answer.text, answer.metadata["unconstrained_draft"]) == ('{"n": 1}', "It is one.")
    assert [path for path, _ in asked] == ["/v1/chat/completions", "/detokenize", "/v1/chat/completions"]


def test_a_form_that_fails_twice_is_an_error() -> None:
    with pytest.raises(ConstraintError, match="not JSON") as caught:
        run(start(**FORM), said("One."), said("Two."))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Two."


def test_a_first_answer_that_is_cut_keeps_its_text() -> None:
    cut = (200, b'data: {"choices": [{"index": 0, "delta": {"content": "It is"}}]}\n\n')
    steps = steps_over(start(**FORM, stream=True), [cut], [])
    assert next(steps) == []
    assert fold(next(steps)).text == "It is"
    with pytest.raises(StreamInterruptedError):
        next(steps)


def test_the_server_alone_gets_both_at_once() -> None:
    _, asked = run(start(**FORM, tool_parser="server"), said('{"n": 1}'))
    assert "response_format" in asked[0][1]


ALTERNATE = (400, {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant/..."}})
TWO_USERS = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "There"}]


def test_the_order_of_roles_is_learned_once_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    capabilities = ServerCapabilities()
    answer, asked = run(start(capabilities, messages=TWO_USERS), ALTERNATE, said("Hello"))
    assert asked[0][1]["messages"] == TWO_USERS
    assert asked[1][1]["messages"] == [{"role": "user", "content": "Hi\n\nThere"}]
    assert "alternate" in answer.metadata["message_policy"]
    _, asked = run(start(capabilities, messages=TWO_USERS), said("Hello"))
    assert asked[0][1]["messages"] == [{"role": "user", "content": "Hi\n\nThere"}]
    _, asked = run(start(capabilities, messages=TWO_USERS, message_policy="none"), said("Hello"))
    assert asked[0][1]["messages"] == TWO_USERS
    assert caplog.text == ""


def test_a_complaint_that_no_change_answers_is_an_error() -> None:
    with pytest.raises(BadRequestError, match="alternate"):
        run(start(), ALTERNATE)


def test_a_poisoned_history_is_repaired_told_and_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    cut = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{SECRET"}}
    poisoned = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": [cut]},
        {"role": "tool", "tool_call_id": "b", "content": "SECRET"},
    ]
    answer, asked = run(start(messages=poisoned), said("Hello"))
    assert [m["role"] for m in asked[0][1]["messages"]] == ["user", "assistant", "user"]
    assert len(answer.metadata["history_repaired"]) == 2
    assert "history repaired" in caplog.text
    assert "SECRET" not in caplog.text
    _, asked = run(start(messages=poisoned, repair_history=False), said("Hello"))
    assert asked[0][1]["messages"] == poisoned


FUNCTION: dict[str, Any] = dict(TOOL["function"])  # type: ignore[arg-type] # the tool's other entry is a string


def forced_call(arguments: str) -> tuple[int, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return said("", "tool_calls", tool_calls=[call])


def test_a_forced_call_with_invalid_arguments_is_retried_with_strict_and_remembered() -> None:
    capabilities = ServerCapabilities()
    answer, asked = run(start(capabilities, tool_choice="required"), forced_call("true"), forced_call('{"x": 1}'))
    assert [call.arguments for call in answer.tool_calls] == ['{"x": 1}']
    assert (answer.invalid_tool_calls, answer.finish_reason) == ((), "tool_calls")
    assert "did not match" in answer.metadata["retry_reason"]
    assert asked[0][1]["tools"] == [TOOL]
    assert asked[1][1]["tools"][0]["function"] == {**FUNCTION, "strict": True}
    _, asked = run(start(capabilities, tool_choice="required"), forced_call('{"x": 1}'))
    assert asked[0][1]["tools"][0]["function"]["strict"] is True
    _, asked = run(start(capabilities), forced_call('{"x": 1}'))
    assert asked[0][1]["tools"] == [TOOL]
    with pytest.raises(ConstraintError):
        run(start(capabilities, tool_choice="required"), forced_call("{}"))


def test_a_tool_that_says_itself_whether_it_is_strict_is_asked_for_once() -> None:
    loose = {"type": "function", "function": {**FUNCTION, "strict": False}}
    with pytest.raises(ConstraintError):
        run(start(tools=[loose], tool_choice="required"), forced_call("{}"))


@pytest.mark.parametrize("where", ["content", "tool", "arguments", "extra_body"])
def test_a_lone_surrogate_is_replaced_reported_and_logged_once(where: str, caplog: pytest.LogCaptureFixture) -> None:
    text = "a\ud83db"
    call = {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": json.dumps({"x": text}, ensure_ascii=False)},
    }
    places: dict[str, dict[str, Any]] = {
        "content": {"messages": [{"role": "user", "content": text}]},
        "tool": {"tools": [{"type": "function", "function": {**FUNCTION, "description": text}}]},
        "arguments": {
            "messages": [
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "a", "content": "1"},
            ]
        },
        "extra_body": {"extra_body": {"x": text}},
    }
    answer, asked = run(start(**places[where]), said("Hello"))
    assert "a\ufffdb" in json.dumps(asked[0][1], ensure_ascii=False)
    (note,) = answer.metadata["history_repaired"]
    assert note.endswith("has a lone surrogate, which is sent as U+FFFD")
    assert caplog.text.count("lone surrogate") == 1


@pytest.mark.parametrize("first", [forced_call("true"), said("<tool_call>broken"), forced_call('{"x": ')])
@pytest.mark.parametrize("checked", [True, False])
def test_a_forced_call_gets_a_strict_second_try_whoever_validates_it(first: tuple[int, Any], checked: bool) -> None:
    steps = start(tool_choice="f", check_constraints=checked)
    answer, asked = run(steps, first, forced_call('{"x": 1}'))
    assert called(answer) == [("f", {"x": 1})]
    assert asked[1][1]["tools"][0]["function"]["strict"] is True


def test_a_truncated_forced_call_gets_no_second_try() -> None:
    with pytest.raises(ConstraintError, match="truncated"):
        run(start(tool_choice="required"), said("<tool_", "length"))
