"""One call of the chat endpoint, from top to bottom: what to send, how to read the answer, when to try another form.

`chat_call` is the whole call, `ask` one request of it with all forms that it may need; what follows are the strategies, in
the order in which they are tried. A new strategy is one more function and one more `if` in `ask`, before
`works_without_structural_tag`, which takes every refusal that nothing else explains.
Source: the behaviour of vLLM 0.8.5 to 0.33.0.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from vllm_connect.chat.capabilities import ModelCapabilities, ServerCapabilities
from vllm_connect.chat.constraint_tags import has_degenerated
from vllm_connect.chat.filters.hold import HoldFilter
from vllm_connect.chat.filters.json_extraction import JsonExtractionFilter
from vllm_connect.chat.filters.token_ids import TokenIdsFilter
from vllm_connect.chat.filters.tool_parsing import ToolParsingFilter
from vllm_connect.chat.filters.total_usage import TotalUsageFilter
from vllm_connect.chat.plan import Plan, plan_request
from vllm_connect.chat.prepare import PreparedMessages, prepare_messages
from vllm_connect.chat.prompt_end import ask_prompt_end
from vllm_connect.chat.raw_completion import completions_request
from vllm_connect.chat.schema_checks import check_schemas
from vllm_connect.chat.steps import CallContext, Steps, fetch, probe, send
from vllm_connect.chat.strict_tools import has_loose_tools, strictness_would_help
from vllm_connect.chat.two_phases import first_phase, is_final, needs_two_phases, second_phase
from vllm_connect.chat.validation import is_validated, validate_answer
from vllm_connect.conversation.message_policy import apply_policy, learned_policies
from vllm_connect.errors import BadRequestError, ContextOverflowError, ToolParserMissingError, VllmError
from vllm_connect.protocol.http_request import json_request
from vllm_connect.protocol.server_info import MODELS_PROBE, PROBES, ServerInfo, read_models
from vllm_connect.protocol.stream import AnswerReader, Filter
from vllm_connect.protocol.tokenize import detokenize_request, read_member, tokenize_chat_request
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.json_values import encode_json
from vllm_connect.request.server_versions import Version
from vllm_connect.request.tool_choice import is_forced
from vllm_connect.response.completion import Completion, fold_choices
from vllm_connect.response.deltas import (
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    Usage,
    UsageReport,
)

__all__ = ["chat_call", "probe_server"]

logger = logging.getLogger("vllm_connect")

CHAT_PATH = "/v1/chat/completions"

EXPECTED_OVERHEAD = 8
"""Tokens beyond the reasoning's that an answer without text may have: tags, newlines, the end token."""

ANYTHING = (object,)
ANSWER = (TextDelta, Finish, Logprobs)


class Answer(NamedTuple):
    """What one request of a call returned, before it is known whether it is the answer of the call.

    Attributes:
        request: What was sent.
        prepared: The conversation as it was sent.
        reader: What read the reply.
        hold: What holds the answer's text back, if anything does.
        spent: The usage of the requests before this one.
        ending: Deltas that may be passed on.
    """

    request: ChatRequest
    prepared: PreparedMessages
    reader: AnswerReader
    hold: HoldFilter
    spent: Usage | None
    ending: list[Delta]

    def completions(self) -> list[Completion]:
        """Fold the answers."""
        return fold_choices(self.reader.deltas, tools=self.request.tools)


def chat_call(asked: ChatRequest, context: CallContext) -> Steps[None]:
    """Yield the steps of one call.

    Args:
        asked: The request.
        context: What all calls of the client have in common.

    Raises:
        VllmError: Whatever the caller should get; `partial` has what arrived.
    """
    asked = asked.normalized()
    asked.check_messages()
    check_schemas(asked, context.capabilities.checked_schemas)
    prepared = prepare_messages(asked, context.capabilities)
    report_repairs(prepared, prepared.changes.pop("history_repaired", []))
    version = (yield from server_info(context)).version if asked.depends_on_version() else None
    if not needs_two_phases(asked):
        answer = yield from ask(prepared, unchanged, context, version)
    else:
        answer = yield from ask(prepared, first_phase, context, version, hold=ANSWER)
        if not is_final(asked, answer.completions()):
            draft = "".join(delta.text for delta in answer.hold.held if isinstance(delta, TextDelta))
            yield [*answer.ending, Metadata({"unconstrained_draft": draft})]
            spent = total_usage(answer.spent, answer.reader)
            answer = yield from ask(answer.prepared, second_phase, context, version, spent=spent)
    yield answer.ending + answer.reader.flush()
    if is_validated(answer.request):
        for completion in answer.completions():
            validate_answer(answer.request, completion)


def report_repairs(prepared: PreparedMessages, notes: list[str]) -> None:
    """Log repairs of the conversation, each once, and add them to the answer's metadata."""
    known = prepared.changes.get("history_repaired", [])
    new = [note for note in notes if note not in known]
    for note in new:
        logger.warning("history repaired: %s", note)
    if new:
        prepared.changes["history_repaired"] = [*known, *new]


def unchanged(request: ChatRequest) -> ChatRequest:
    """Return the request as it is: a call of one phase."""
    return request


def ask(
    prepared: PreparedMessages,
    phase: Callable[[ChatRequest], ChatRequest],
    context: CallContext,
    version: Version | None,
    *,
    hold: tuple[type, ...] = (),
    spent: Usage | None = None,
) -> Steps[Answer]:
    """Send one request, in the form that the server turns out to need.

    Args:
        prepared: The conversation.
        phase: Returns the request of a phase of the call.
        context: What all calls of the client have in common.
        version: The server's version, None for the newest.
        hold: Kinds of deltas to hold back.
        spent: The usage of the requests before this one.

    Raises:
        VllmError: The server refuses every form, or the way to it fails.
    """
    capabilities = context.capabilities
    known = capabilities.of(prepared.request.model)
    emitted_reasoning: dict[int, str] = {}
    structural_tags = capabilities.accepts_structural_tags
    while True:
        request = phase(prepared.request)
        yield from ask_prompt_end(request, context, version)
        plan = plan_request(request, capabilities, version, emitted_reasoning, structural_tags=structural_tags)
        may_be_loose = plan.works_without_server_parser and has_loose_tools(request) and not known.needs_strict_tools
        may_be_retried = (may_be_loose or plan.may_degenerate) and not request.stream
        held = HoldFilter(*(ANYTHING if may_be_retried else hold))
        try:
            stages = stages_of(request, held, spent)
            reader = yield from send_plan(plan, request, prepared, stages, context)
        except VllmError as error:
            if error.partial is not None:
                raise  # the caller has a part of the answer
            if (yield from works_without_server_parser(error, plan, request, context)):
                continue
            if (learned := learns_message_policy(error, prepared, capabilities)) is not None:
                prepared = learned
                continue
            if structural_tags and works_without_structural_tag(error, plan):
                structural_tags = False
                continue
            raise
        capabilities.accepts_structural_tags = structural_tags and capabilities.accepts_structural_tags
        answer = Answer(request, prepared, reader, held, spent, [])
        learn_from_text(plan, reader, known)
        reason = reason_for_another_form(plan, answer, known, may_be_loose=may_be_loose)
        if reason and not request.stream:
            spent = total_usage(spent, reader)
            yield [Metadata({"retry_reason": reason})]
            continue
        if dropped_tool_call(reader):
            known.drops_tool_calls = True
            spent = total_usage(spent, reader)
            emitted_reasoning = {choice: _reasoning(reader.deltas, choice) for choice in reader.filters}
            yield [Metadata({"retry_reason": "the server's parser dropped the first answer"})]
            continue
        answer.ending.extend((yield from detokenize(reader, request, context)))
        answer.ending.extend(reader.release())
        if prepared.changes:
            answer.ending.extend(reader.pass_on([Metadata(prepared.changes)]))
        if request.include_response_headers:
            answer.ending.extend(reader.pass_on([Metadata({"headers": dict(reader.headers)})]))
        return answer


def stages_of(request: ChatRequest, hold: HoldFilter, spent: Usage | None) -> list[Filter]:
    """Return the filters of a whole answer; none where there is nothing to do."""
    stages: list[Filter] = [] if spent is None else [TotalUsageFilter(spent)]
    if hold.kinds:
        stages.append(hold)
    if request.extract_json:
        stages.append(JsonExtractionFilter())
    return stages


def send_plan(
    plan: Plan, request: ChatRequest, prepared: PreparedMessages, stages: list[Filter], context: CallContext
) -> Steps[AnswerReader]:
    """Send the request of a plan; one of the completions endpoint asks for the prompt's tokens before.

    Returns:
        The reader of the answer.
    """
    if plan.text_source == "completions":
        try:
            tokenized = yield from fetch(tokenize_chat_request(plan.body), context)
        except VllmError as error:
            _add_advice(error, 'text_source="completions" needs /tokenize: let the proxy pass it on')
            raise
        http_request = completions_request(plan.body, tokenized, streaming=request.stream)
    else:
        encoded, replaced = encode_json(plan.body)
        http_request = json_request(CHAT_PATH, encoded, streaming=request.stream)
        del encoded  # tracebacks, and what reports them, show variables
        report_repairs(prepared, [f"{place} has a lone surrogate, which is sent as U+FFFD" for place in replaced])
    choices = request.n or 1
    new_reader = partial(
        AnswerReader, choices=choices, new_filter=plan.new_filter, new_id=context.new_id, stages=stages
    )
    return (yield from send(http_request, new_reader, context))


def _add_advice(error: VllmError, advice: str) -> None:
    error.args = (f"{error.message}; {advice}", *error.args[1:])


# What the server is


def server_info(context: CallContext) -> Steps[ServerInfo]:
    """Return what the server says of itself, asked once."""
    return context.capabilities.info or (yield from probe_server(context))


def probe_server(context: CallContext) -> Steps[ServerInfo]:
    """Ask the server what it is; a question that it does not answer tells nothing."""
    answers: list[bytes | None] = []
    for request in PROBES:
        answers.append((yield from probe(request, context)))  # noqa: PERF401 - a comprehension cannot yield
    info = ServerInfo.read(answers)
    context.capabilities.info, context.capabilities.models = info, info.models
    return info


# Strategies after a refusal


def works_without_server_parser(
    error: VllmError, plan: Plan, request: ChatRequest, context: CallContext
) -> Steps[bool]:
    """Learn that the server has no tool parser, and ask which model it serves, so that calls are parsed here."""
    if not isinstance(error, ToolParserMissingError) or not plan.works_without_server_parser:
        return False
    context.capabilities.of(request.model).has_tool_parser = False
    if context.capabilities.models is None:
        context.capabilities.models = read_models((yield from probe(MODELS_PROBE, context)))
    return True


def learns_message_policy(
    error: VllmError, prepared: PreparedMessages, capabilities: ServerCapabilities
) -> PreparedMessages | None:
    """Learn from a chat template's complaint what the conversation must be; None where it teaches nothing new."""
    asked = prepared.asked
    if asked.message_policy != "auto" or not isinstance(error, BadRequestError):
        return None
    messages = prepared.request.messages
    candidates = learned_policies(prepared.policy, error.message)
    learned = next((policy for policy in candidates if apply_policy(messages, policy) != messages), None)
    if learned is None:
        return None
    capabilities.of(asked.model).message_policy = learned
    return prepare_messages(asked, capabilities)


def works_without_structural_tag(error: VllmError, plan: Plan) -> bool:
    """Check whether the server may have refused a structural tag, so that a JSON schema has to force the call."""
    refused = isinstance(error, BadRequestError) and not isinstance(error, ContextOverflowError)
    return refused and plan.has_structural_tag


# Strategies after an answer


def reason_for_another_form(plan: Plan, answer: Answer, known: ModelCapabilities, *, may_be_loose: bool) -> str | None:
    """Learn what an answer shows of the server's grammars; return why another form of the request may do better."""
    request, answers = answer.request, answer.completions()
    if may_be_loose and strictness_would_help(request, answers):
        known.needs_strict_tools = True
        return "the arguments of a forced call did not match their schema"
    if plan.may_degenerate and has_degenerated(request, answers):
        known.needs_constraint_tags = True
        known.reasons_before_grammar |= any(each.reasoned_before_text for each in parsing_filters(answer.reader))
        known.fails_forced_calls = known.fails_forced_calls or is_forced(request.tool_choice)
        return "under a grammar the model wrote whitespace, or no call"
    return None


def parsing_filters(reader: AnswerReader) -> list[ToolParsingFilter]:
    """Return the filters that parse the text of an answer."""
    return [each for each in reader.filters.values() if isinstance(each, ToolParsingFilter)]


def learn_from_text(plan: Plan, reader: AnswerReader, known: ModelCapabilities) -> None:
    """Learn from an answer's text whether it had reasoning, or a call, that the server's parsers should have read."""
    filters = parsing_filters(reader)
    known.needs_constraint_tags = known.needs_constraint_tags or any(each.reasoned_in_text for each in filters)
    parsed_by_server = plan.works_without_server_parser
    known.fails_forced_calls |= parsed_by_server and any(each.called_in_text for each in filters)


def dropped_tool_call(reader: AnswerReader) -> bool:
    """Check whether the server's parser dropped what the model wrote: no text, no call, and more tokens than reasoning."""
    filters = parsing_filters(reader)
    usage = _usage(reader.deltas)
    if usage is None or not filters or not all(each.empty_end for each in filters):
        return False
    shown = usage.reasoning_tokens
    if shown is None:
        shown = sum(len(delta.text) for delta in reader.deltas if isinstance(delta, ReasoningDelta))
    return usage.completion_tokens - shown > EXPECTED_OVERHEAD


def detokenize(reader: AnswerReader, request: ChatRequest, context: CallContext) -> Steps[list[Delta]]:
    """Ask for the text of an answer that arrived as token ids, and parse it.

    Returns:
        The deltas of the text that may be passed on.
    """
    passed: list[Delta] = []
    for held in reader.filters.values():
        if isinstance(held, TokenIdsFilter):
            try:
                body = yield from fetch(detokenize_request(held.tokens(), request.model), context)
            except VllmError as error:
                error.partial = reader.partial()
                _add_advice(
                    error, 'text_source="token_ids" needs /detokenize: let the proxy pass it on, or use "content"'
                )
                raise
            passed += reader.pass_on(held.detokenized(read_member(body, "prompt", str)))
    return passed


def total_usage(spent: Usage | None, reader: AnswerReader) -> Usage | None:
    """Add the usage of an answer to that of the requests before it."""
    usage = _usage(reader.deltas)
    return spent + usage if spent is not None and usage is not None else usage or spent


def _usage(deltas: list[Delta]) -> Usage | None:
    return next((delta.usage for delta in reversed(deltas) if isinstance(delta, UsageReport)), None)


def _reasoning(deltas: list[Delta], choice: int) -> str:
    return "".join(d.text for d in deltas if isinstance(d, ReasoningDelta) and d.choice == choice)
