"""How the tool calls of one request come about: by the server's parser, or by the client's.

For `tool_parser="auto"`, in this order:

1. The server parses. A call that it leaves in the text is recovered, if it is complete, names a declared tool and has valid
   arguments.
2. The server has no parser and says so with a 400: the request is sent again with `tool_choice="none"`, which shows the
   tools to the model and leaves its text alone, and the text is parsed here. That is remembered for the model. A required
   or named choice is then forced by a grammar.
3. The server has a parser that drops calls: an answer has neither call nor text, and more tokens than its reasoning. The
   request is sent again, and the answer's token ids are detokenized and parsed here; that is remembered too.

`"server"` switches all of it off, and a format, or its name, is always parsed here.
Source: the handling of tool_choice in vLLM 0.8.5 to 0.33.0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.constraint_tags import constraint_tag
from vllm_connect.chat.filters.first_tool_call import FirstToolCallFilter
from vllm_connect.chat.filters.token_ids import TokenIdsFilter
from vllm_connect.chat.filters.tool_parsing import ToolParsingFilter
from vllm_connect.chat.prompt_end import is_reasoning_off, prompt_ends_in_reasoning
from vllm_connect.chat.raw_completion import check_text_only
from vllm_connect.chat.strict_tools import strict_tools
from vllm_connect.parsing.auto_format import auto_format
from vllm_connect.parsing.forced_calls import forced_format, forced_schema, forced_tag
from vllm_connect.parsing.format import Format, find_format
from vllm_connect.parsing.output_parser import OutputParser
from vllm_connect.parsing.reasoning import SPLIT_OFF, Reasoning, find_reasoning
from vllm_connect.parsing.repair import RepairFilter
from vllm_connect.parsing.tool_schemas import Tools
from vllm_connect.profiles import Profile
from vllm_connect.protocol.stream import Filter
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.server_versions import Version
from vllm_connect.request.structured_outputs import StructuredOutputs
from vllm_connect.request.tool_choice import is_forced
from vllm_connect.schema.rewrite import sendable_schema

__all__ = ["NewFilter", "Plan", "plan_request"]

NewFilter = Callable[[int], Filter]
"""Returns the filter of a choice."""

TextSource = Literal["content", "token_ids", "completions"]


@dataclass(repr=False)
class Plan:
    """What to send and how to read the answer; not a tuple, whose items are shown by what reports tracebacks.

    Attributes:
        body: The JSON body.
        new_filter: Returns the filter of a choice; None where the server's deltas pass as they are.
        works_without_server_parser: Whether the request can be planned otherwise if the server has no tool parser.
        has_structural_tag: Whether there is a structural tag, which older servers refuse.
        may_degenerate: Whether a grammar of the server may keep the model from writing what it would, where another plan does
            not.
        text_source: Where the text comes from that is parsed here.
    """

    body: dict[str, Any]
    new_filter: NewFilter | None = None
    works_without_server_parser: bool = False
    has_structural_tag: bool = False
    may_degenerate: bool = False
    text_source: TextSource = "content"

    def __repr__(self) -> str:
        """Show how the answer is read; tracebacks, and what reports them, show variables, and the body has the prompt."""
        return f"Plan(text_source={self.text_source!r})"


def plan_request(
    request: ChatRequest,
    capabilities: ServerCapabilities,
    version: Version | None,
    emitted_reasoning: Mapping[int, str],
    *,
    structural_tags: bool = True,
) -> Plan:
    """Plan one request.

    Args:
        request: The request, normalized.
        capabilities: What is known of the server.
        version: The server's version, None for the newest.
        emitted_reasoning: Reasoning that the caller has from an earlier request, by choice.
        structural_tags: Whether a structural tag may force a call.

    Returns:
        The plan.

    Raises:
        ConfigurationError: No server could accept the request, or a parser's name is unknown.
    """
    profile = capabilities.profile(request.model)
    known = capabilities.of(request.model)
    if request.tool_parser == "server" or not request.tools or request.tool_choice == "none":
        request = _with_sendable_tools(request)
        tag = _constraint_tag(request, capabilities) if structural_tags else None
        if tag is not None and known.needs_constraint_tags:
            return _with_constraint_tags(request, tag, capabilities, version)
        server_filter = _server_filter(request, capabilities)
        return Plan(request.body(version), server_filter, may_degenerate=tag is not None)
    if request.tool_parser != "auto":
        format_ = request.tool_parser if isinstance(request.tool_parser, Format) else find_format(request.tool_parser)
        return _parsed_here(request, format_, capabilities, version, emitted_reasoning, structural_tags=structural_tags)
    format_ = auto_format() if profile.tool_format is None else find_format(profile.tool_format)
    forced_here = is_forced(request.tool_choice) and known.fails_forced_calls
    if forced_here or not known.has_tool_parser or _text_source(request, capabilities) != "content":
        return _parsed_here(request, format_, capabilities, version, emitted_reasoning, structural_tags=structural_tags)
    request = _with_sendable_tools(request)
    if known.needs_strict_tools and is_forced(request.tool_choice):
        request = request.model_copy(update={"tools": strict_tools(request.tools or ())})
    new_filter = _new_filter(request, format_, capabilities, f"recovered:{format_.names[0]}", recover=True)
    may_degenerate = is_forced(request.tool_choice) and format_.forced is not None and structural_tags
    return Plan(
        request.body(version),
        new_filter,
        works_without_server_parser=True,
        may_degenerate=may_degenerate,
    )


def _constraint_tag(request: ChatRequest, capabilities: ServerCapabilities) -> str | None:
    """Return the constraint of a request as a structural tag; None if there is no constraint, or the server needs no help."""
    if request.tool_parser == "server":
        return None
    starts = prompt_ends_in_reasoning(request, capabilities)
    reasons = request.reasoning_parser is not None and not is_reasoning_off(request)
    reasoning = _marked_reasoning(request, capabilities, starts) if reasons else None
    return constraint_tag(request, reasoning, starts_in_reasoning=bool(starts))


def _marked_reasoning(request: ChatRequest, capabilities: ServerCapabilities, starts: bool | None) -> Reasoning | None:
    """Return the reasoning of a model if it has a start marker, and a grammar has to allow it."""
    if capabilities.of(request.model).reasons_before_grammar:
        return None
    parser = _reasoning_parser(request, capabilities.profile(request.model), starts)
    return next((one for one in find_reasoning(parser) if one.start_marker), None)


def _with_constraint_tags(
    request: ChatRequest, tag: str, capabilities: ServerCapabilities, version: Version | None
) -> Plan:
    """Plan an answer that a structural tag constrains."""
    changes: dict[str, Any] = {"response_format": None, "structured_outputs": StructuredOutputs(structural_tag=tag)}
    if request.skip_special_tokens is None:
        changes["skip_special_tokens"] = False
    request = request.model_copy(update=changes)
    return Plan(
        request.body(version), _new_filter(request, None, capabilities, "server", has_tag=True), has_structural_tag=True
    )


def _server_filter(request: ChatRequest, capabilities: ServerCapabilities) -> NewFilter | None:
    """Return what reads an answer whose calls the server parses, or which has none."""
    one_call = bool(request.tools) and request.parallel_tool_calls is False
    if request.reasoning_parser is None and not (request.reasoning_as_answer or request.repair or one_call):
        return None
    return _new_filter(request, None, capabilities, "server")


def _parsed_here(
    request: ChatRequest,
    format_: Format,
    capabilities: ServerCapabilities,
    version: Version | None,
    emitted_reasoning: Mapping[int, str],
    *,
    structural_tags: bool,
) -> Plan:
    """Plan an answer whose calls are parsed here, or forced by a grammar."""
    changes: dict[str, Any] = {"tool_choice": "none"}
    via = f"client:{format_.names[0]}"
    has_tag = False
    if request.skip_special_tokens is None:
        changes["skip_special_tokens"] = False
    if is_forced(request.tool_choice):
        via = "forced"
        name = request.tool_choice["function"]["name"] if isinstance(request.tool_choice, dict) else None
        constraint, has_tag = _forcing_constraint(request, format_, name, capabilities, structural_tags=structural_tags)
        changes["structured_outputs"] = StructuredOutputs.model_validate({**constraint, "disable_any_whitespace": True})
        if not has_tag:
            format_ = forced_format(name)
    body = request.model_copy(update=changes).body(version)
    body.pop("parallel_tool_calls", None)
    source = _text_source(request, capabilities)
    if source == "completions":
        check_text_only(request, body)
    new_filter = _new_filter(
        request, format_, capabilities, via, has_grammar=via == "forced" and not has_tag, has_tag=has_tag
    )
    if source == "token_ids":
        body["return_token_ids"] = True
        new_filter = _past_the_server_parser(request, new_filter, emitted_reasoning)
    return Plan(body, new_filter, has_structural_tag=has_tag, text_source=source)


def _text_source(request: ChatRequest, capabilities: ServerCapabilities) -> TextSource:
    if request.text_source != "auto":
        return request.text_source
    return "token_ids" if capabilities.of(request.model).drops_tool_calls else "content"


def _past_the_server_parser(request: ChatRequest, inner: NewFilter, emitted_reasoning: Mapping[int, str]) -> NewFilter:
    stop = tuple([request.stop] if isinstance(request.stop, str) else request.stop or ())
    keep_ids = bool(request.return_token_ids)

    def new_filter(choice: int) -> Filter:
        return TokenIdsFilter(
            inner(choice), keep_ids=keep_ids, stop=stop, emitted_reasoning=emitted_reasoning.get(choice, "")
        )

    return new_filter


def _forcing_constraint(
    request: ChatRequest, format_: Format, name: str | None, capabilities: ServerCapabilities, *, structural_tags: bool
) -> tuple[dict[str, Any], bool]:
    """Return the constraint that forces a call, and whether it is a structural tag of the model's own format."""
    tools, parallel = [_sendable(tool) for tool in request.tools or ()], request.parallel_tool_calls is not False
    if structural_tags:
        starts = _starts_in_reasoning(request, capabilities)
        reasoning = _marked_reasoning(request, capabilities, starts)
        tag = forced_tag(format_, tools, name, parallel=parallel, reasoning=reasoning, starts_in_reasoning=bool(starts))
        if tag is not None:
            return {"structural_tag": tag}, True
    return {"json": forced_schema(tools, name, parallel=parallel)}, False


def _with_sendable_tools(request: ChatRequest) -> ChatRequest:
    """Return a request whose tools have schemas that the server accepts where it makes a grammar of them."""
    forced = is_forced(request.tool_choice)
    tools = [_sendable(tool) if forced or tool["function"].get("strict") else tool for tool in request.tools or ()]
    return request if tools == (request.tools or []) else request.model_copy(update={"tools": tools})


def _sendable(tool: dict[str, Any]) -> dict[str, Any]:
    """Return a tool with a schema that the server accepts: one bound beyond 64 bits, and it refuses the whole tag."""
    function = tool["function"]
    if not function.get("parameters"):
        return tool
    return {**tool, "function": {**function, "parameters": sendable_schema(function["parameters"])}}


def _new_filter(
    request: ChatRequest,
    format_: Format | None,
    capabilities: ServerCapabilities,
    via: str,
    *,
    recover: bool = False,
    has_grammar: bool = False,
    has_tag: bool = False,
) -> NewFilter:
    starts_in_reasoning = False if has_grammar else _starts_in_reasoning(request, capabilities)
    reasoning = _reasoning_parser(request, capabilities.profile(request.model), starts_in_reasoning)
    find_reasoning(reasoning)  # an unknown name is an error before anything is sent
    one_call = bool(request.tools) and request.parallel_tool_calls is False
    tools = Tools(request.tools)
    may_have_drafts = format_ is not None and via != "forced" and request.calls_in_reasoning is not False

    def new_parser(choice: int, reasoning_parser: str | Reasoning | None, *, starts: bool | None) -> OutputParser:
        return OutputParser(
            format_,
            reasoning_parser,
            request.tools,
            choice=choice,
            recover=recover,
            starts_in_reasoning=starts,
            calls_in_reasoning=request.calls_in_reasoning,
        )

    def new_filter(choice: int) -> Filter:
        then: list[Filter] = [FirstToolCallFilter(choice)] if one_call else []
        if request.repair:
            then.append(RepairFilter(choice))
        return ToolParsingFilter(
            choice,
            partial(new_parser, choice, reasoning, starts=starts_in_reasoning),
            partial(
                new_parser, choice, reasoning if has_tag else None, starts=False
            ),  # which lets the model reason again
            partial(new_parser, choice, SPLIT_OFF, starts=True) if may_have_drafts else None,
            via,
            declared_name=tools.declared_name,
            promote_reasoning=request.reasoning_as_answer,
            hold_empty_end=format_ is not None and request.text_source == "auto",
            then=then,
        )

    return new_filter


def _starts_in_reasoning(request: ChatRequest, capabilities: ServerCapabilities) -> bool | None:
    """Return whether the text begins inside the reasoning; None if that is not known.

    A grammar applies from the first token where the server does not split the reasoning off.
    """
    return False if _has_grammar(request) else prompt_ends_in_reasoning(request, capabilities)


def _has_grammar(request: ChatRequest) -> bool:
    """Check whether a grammar constrains the whole answer."""
    outputs, response_format = request.structured_outputs, request.response_format
    if response_format is not None:
        return response_format.get("type") in ("json_object", "json_schema")
    return outputs is not None and outputs.structural_tag is None


def _reasoning_parser(request: ChatRequest, profile: Profile, starts: bool | None) -> str | Reasoning | None:
    """Return what splits reasoning off the text where the server has not done so."""
    if request.reasoning_parser != "auto":
        return request.reasoning_parser
    if profile.reasoning_parser is None:
        return "auto"
    supposed = profile.reasoning_prefilled and not is_reasoning_off(request)
    return profile.reasoning_parser if starts is not None or supposed else _open(profile)


@lru_cache(maxsize=256)
def _open(profile: Profile) -> str | Reasoning | None:
    """Return a family's reasoning parser that leaves open whether the text begins inside the reasoning."""
    first, *others = find_reasoning(profile.reasoning_parser)
    return profile.reasoning_parser if others else replace(first, starts_in_reasoning=False)
