"""How the tool calls of one request come about: by the server's parser, or by ours.

For `tool_parser="auto"`, in this order:

1. The server parses. A call that it leaves in the text is recovered, if it is complete, names a bound tool and fits its
   schema.
2. The server has no parser and says so with a 400: the same request goes again with `tool_choice="none"`, which shows
   the tools to the model and leaves its words alone, and the words are parsed here. That is remembered for the model.
   A required or named choice is then forced by a grammar.
3. The server has a parser that eats what it should have parsed: an answer has neither call nor text, and more tokens than
   its reasoning. The same request goes again, and its token ids become the model's own words; that is remembered too.

`"server"` switches all of it off, and a format, or its name, goes straight to our parser.
Source: the handling of tool_choice in vLLM 0.8.5 to 0.33.0.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.filters.token_ids import TokenIdsFilter
from vllm_connect.chat.filters.tool_parsing import ParsingFilter
from vllm_connect.chat.strict_tools import strict_tools
from vllm_connect.parsing.auto_format import sniffing_format
from vllm_connect.parsing.forced_calls import forced_format, forced_schema, forced_tag
from vllm_connect.parsing.format import Format, find_format
from vllm_connect.parsing.output_parser import OutputParser
from vllm_connect.profiles import Profile
from vllm_connect.protocol.stream import DeltaFilter
from vllm_connect.request.chat_request import ChatRequest, Version
from vllm_connect.request.structured_outputs import StructuredOutputs
from vllm_connect.request.tool_choice import is_forced, resolve_tool_choice
from vllm_connect.schema.rewrite import sendable_schema

__all__ = ["Plan", "plan_answer"]


class Plan:
    """What to send and how to read the answer.

    Attributes:
        body: The JSON body.
        new_filter: Makes the filter of a choice, None where the server's deltas pass as they are.
        retries_without_parser: Whether there is another way if the server has no tool parser.
        native: Whether a structural tag forces the model's own format, which older servers refuse.
        text_source: Where the words come from that are parsed here: `content`, `token_ids` or `completions`.
    """

    def __init__(
        self,
        body: dict[str, Any],
        new_filter: Callable[[int], DeltaFilter | None] | None = None,
        *,
        retries_without_parser: bool = False,
        native: bool = False,
        text_source: str = "content",
    ) -> None:
        self.body = body
        self.new_filter = new_filter
        self.retries_without_parser = retries_without_parser
        self.native = native
        self.text_source = text_source


def plan_answer(request: ChatRequest, capabilities: ServerCapabilities, version: Version | None) -> Plan:
    """Plan one request.

    Args:
        request: What is asked.
        capabilities: What is known of the server.
        version: The server's version, None for the newest.

    Returns:
        The plan.

    Raises:
        ConfigurationError: No server could accept the request, or a parser's name is unknown.
    """
    profile = capabilities.profile(request.model)
    choice = resolve_tool_choice(request.tool_choice, request.tools)
    if request.tool_parser == "server" or not request.tools or choice == "none":
        looks = request.reasoning_parser is not None or request.reasoning_as_answer or _settles_calls(request)
        return Plan(request.body(version), _filters(request, None, profile, "server") if looks else None)
    if request.tool_parser != "auto":
        return _parsed_here(request, _format(request.tool_parser), capabilities, profile, version)
    format_ = _profile_format(profile)
    if capabilities.has_no_tool_parser(request.model) or _text_source(request, capabilities) != "content":
        return _parsed_here(request, format_, capabilities, profile, version)
    new_filter = _filters(request, format_, profile, f"recovered:{format_.names[0]}", recover=True)
    if capabilities.wants_strict(request.model) and is_forced(choice):
        request = request.model_copy(update={"tools": strict_tools(request.tools)})
    return Plan(request.body(version), new_filter, retries_without_parser=True)


def _format(parser: str | Format) -> Format:
    return find_format(parser) if isinstance(parser, str) else parser


def _profile_format(profile: Profile) -> Format:
    return sniffing_format() if profile.tool_format is None else find_format(profile.tool_format)


def _parsed_here(
    request: ChatRequest, format_: Format, capabilities: ServerCapabilities, profile: Profile, version: Version | None
) -> Plan:
    """Plan an answer whose calls are parsed here, or forced by a grammar."""
    choice = resolve_tool_choice(request.tool_choice, request.tools)
    changes: dict[str, Any] = {"tool_choice": "none"}
    via = f"client:{format_.names[0]}"
    native = False
    if request.skip_special_tokens is None:
        changes["skip_special_tokens"] = False
    if is_forced(choice):
        via = "forced"
        name = choice["function"]["name"] if isinstance(choice, dict) else None
        constraint, native = _forced(request, format_, capabilities, name)
        changes["structured_outputs"] = StructuredOutputs.model_validate({**constraint, "disable_any_whitespace": True})
        if not native:
            format_ = forced_format(name)
    body = request.model_copy(update=changes).body(version)
    body.pop("parallel_tool_calls", None)
    source = _text_source(request, capabilities)
    new_filter = _filters(request, format_, profile, via)
    if source == "token_ids":
        body["return_token_ids"] = True
        new_filter = _past_the_parser(request, new_filter)
    return Plan(body, new_filter, native=native, text_source=source)


def _settles_calls(request: ChatRequest) -> bool:
    return request.repair or (bool(request.tools) and request.parallel_tool_calls is False)


def _text_source(request: ChatRequest, capabilities: ServerCapabilities) -> str:
    if request.text_source != "auto":
        return request.text_source
    return "token_ids" if capabilities.eats_calls(request.model) else "content"


def _past_the_parser(request: ChatRequest, inner: Callable[[int], DeltaFilter]) -> Callable[[int], DeltaFilter]:
    stop = tuple([request.stop] if isinstance(request.stop, str) else request.stop or ())

    def new_filter(choice: int) -> DeltaFilter:
        return TokenIdsFilter(inner(choice), keep_ids=bool(request.return_token_ids), stop=stop)

    return new_filter


def _forced(
    request: ChatRequest, format_: Format, capabilities: ServerCapabilities, name: str | None
) -> tuple[dict[str, Any], bool]:
    """Choose the constraint that forces a call, and tell whether it is in the model's own format."""
    tools, parallel = [_sendable(tool) for tool in request.tools or ()], request.parallel_tool_calls is not False
    tag = forced_tag(format_, tools, name, parallel=parallel) if capabilities.takes_structural_tags else None
    if tag is not None:
        return {"structural_tag": tag}, True
    return {"json": forced_schema(tools, name, parallel=parallel)}, False


def _sendable(tool: dict[str, Any]) -> dict[str, Any]:
    """Say as much of a tool's schema as the server takes: one bound beyond 64 bits, and it refuses the whole tag."""
    function = tool["function"]
    if not function.get("parameters"):
        return tool
    return {**tool, "function": {**function, "parameters": sendable_schema(function["parameters"])}}


def _filters(
    request: ChatRequest, format_: Format | None, profile: Profile, via: str, *, recover: bool = False
) -> Callable[[int], DeltaFilter]:
    reasoning = _reasoning(request, profile)

    def new_parser(choice: int, reasoning_wanted: bool) -> OutputParser:
        return OutputParser(
            format_,
            reasoning if reasoning_wanted else None,
            request.tools,
            choice=choice,
            recover=recover,
            calls_in_reasoning=request.calls_in_reasoning,
        )

    def new_filter(choice: int) -> DeltaFilter:
        return ParsingFilter(
            choice,
            partial(new_parser, choice),
            via,
            promote_reasoning=request.reasoning_as_answer,
            repair=request.repair,
            single=bool(request.tools) and request.parallel_tool_calls is False,
            hold_silent=format_ is not None and request.text_source == "auto",
        )

    return new_filter


def _reasoning(request: ChatRequest, profile: Profile) -> str | None:
    """Choose how reasoning is split off the text, where the server has not done so."""
    if request.reasoning_parser != "auto":
        return request.reasoning_parser
    return profile.reasoning_parser if profile.reasoning_prefilled and _thinks(request) else "auto"


def _thinks(request: ChatRequest) -> bool:
    keys = request.chat_template_kwargs or {}
    return (
        request.reasoning not in (False, "none")
        and keys.get("enable_thinking", keys.get("thinking", True)) is not False
    )
