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

from vllm_connect.client_parsing import ParsingFilter
from vllm_connect.constraints import StructuredOutputs
from vllm_connect.conversation import MessagePolicy
from vllm_connect.family_policies import family_policy
from vllm_connect.parsing.families import Family, find_family
from vllm_connect.parsing.forced import forced_format, forced_schema, forced_tag
from vllm_connect.parsing.format import Format, find_format, format_names
from vllm_connect.parsing.output import OutputParser
from vllm_connect.parsing.sniffing import sniffing_format
from vllm_connect.raw_text import TokenIdsFilter
from vllm_connect.request import ChatRequest, Version
from vllm_connect.schema_rewriting import sendable_schema
from vllm_connect.stream import DeltaFilter
from vllm_connect.strict_tools import strict_tools
from vllm_connect.tool_choice import is_forced, resolve_tool_choice

__all__ = ["Knowledge", "Plan", "plan_answer"]


class Knowledge:
    """What calls have taught about a server; shared by all clients of one model object.

    Attributes:
        roots: What is really served under each name; None before the server was asked.
        schemas: The schemas sent before, each by its hash, so that one is warned of once.
        takes_structural_tags: Whether a structural tag may be sent; a server that refuses one teaches otherwise.
    """

    def __init__(self) -> None:
        self._without_tool_parser: set[str | None] = set()
        self._eaten: set[str | None] = set()
        self._wants_strict: set[str | None] = set()
        self._policies: dict[str | None, MessagePolicy] = {}
        self.roots: dict[str, str] | None = None
        self.schemas: set[int] = set()
        self.takes_structural_tags = True

    def learn_no_tool_parser(self, model: str | None) -> None:
        """Remember that the server has no tool parser for a model."""
        self._without_tool_parser.add(model)

    def has_no_tool_parser(self, model: str | None) -> bool:
        """Tell whether the server is known to have no tool parser for a model."""
        return model in self._without_tool_parser

    def learn_eaten_calls(self, model: str | None) -> None:
        """Remember that the server's parser eats a model's calls."""
        self._eaten.add(model)

    def eats_calls(self, model: str | None) -> bool:
        """Tell whether the server's parser is known to eat a model's calls."""
        return model in self._eaten

    def learn_strict(self, model: str | None) -> None:
        """Remember that the server holds a forced call's arguments to their schema only where a tool is `strict`."""
        self._wants_strict.add(model)

    def wants_strict(self, model: str | None) -> bool:
        """Tell whether a forced call's arguments are known to be held only where a tool is `strict`."""
        return model in self._wants_strict

    def learn_policy(self, model: str | None, policy: MessagePolicy) -> None:
        """Remember in which order a model's template takes messages."""
        self._policies[model] = policy

    def policy(self, model: str | None) -> MessagePolicy:
        """Tell in which order a model's template takes messages: as learned, else as its family's do."""
        return self._policies.get(model) or family_policy(self._root(model), model)

    def _root(self, model: str | None) -> str | None:
        roots = self.roots or {}
        return roots.get(model) if model is not None else next(iter(roots.values()), None)

    def family(self, model: str | None) -> Family | None:
        """Tell a model's family: from what is served, else from its name."""
        return find_family(self._root(model), model)


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


def plan_answer(request: ChatRequest, knowledge: Knowledge, version: Version | None) -> Plan:
    """Plan one request.

    Args:
        request: What is asked.
        knowledge: What is known of the server.
        version: The server's version, None for the newest.

    Returns:
        The plan.

    Raises:
        ConfigurationError: No server could accept the request, or a parser's name is unknown.
    """
    family = knowledge.family(request.model)
    choice = resolve_tool_choice(request.tool_choice, request.tools)
    if request.tool_parser == "server" or not request.tools or choice == "none":
        looks = request.reasoning_parser is not None or request.reasoning_as_answer or _settles_calls(request)
        return Plan(request.body(version), _filters(request, None, family, "server") if looks else None)
    if request.tool_parser != "auto":
        return _parsed_here(request, _format(request.tool_parser), knowledge, family, version)
    format_ = _family_format(family)
    if knowledge.has_no_tool_parser(request.model) or _text_source(request, knowledge) != "content":
        return _parsed_here(request, format_, knowledge, family, version)
    new_filter = _filters(request, format_, family, f"recovered:{format_.names[0]}", recover=True)
    if knowledge.wants_strict(request.model) and is_forced(choice):
        request = request.model_copy(update={"tools": strict_tools(request.tools)})
    return Plan(request.body(version), new_filter, retries_without_parser=True)


def _format(parser: str | Format) -> Format:
    return find_format(parser) if isinstance(parser, str) else parser


def _family_format(family: Family | None) -> Format:
    if family is not None and family.tools in format_names():
        return find_format(str(family.tools))
    return sniffing_format()


def _parsed_here(
    request: ChatRequest, format_: Format, knowledge: Knowledge, family: Family | None, version: Version | None
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
        constraint, native = _forced(request, format_, knowledge, name)
        changes["structured_outputs"] = StructuredOutputs.model_validate({**constraint, "disable_any_whitespace": True})
        if not native:
            format_ = forced_format(name)
    body = request.model_copy(update=changes).body(version)
    body.pop("parallel_tool_calls", None)
    source = _text_source(request, knowledge)
    new_filter = _filters(request, format_, family, via)
    if source == "token_ids":
        body["return_token_ids"] = True
        new_filter = _past_the_parser(request, new_filter)
    return Plan(body, new_filter, native=native, text_source=source)


def _settles_calls(request: ChatRequest) -> bool:
    return request.repair or (bool(request.tools) and request.parallel_tool_calls is False)


def _text_source(request: ChatRequest, knowledge: Knowledge) -> str:
    if request.text_source != "auto":
        return request.text_source
    return "token_ids" if knowledge.eats_calls(request.model) else "content"


def _past_the_parser(request: ChatRequest, inner: Callable[[int], DeltaFilter]) -> Callable[[int], DeltaFilter]:
    stop = tuple([request.stop] if isinstance(request.stop, str) else request.stop or ())

    def new_filter(choice: int) -> DeltaFilter:
        return TokenIdsFilter(inner(choice), keep_ids=bool(request.return_token_ids), stop=stop)

    return new_filter


def _forced(
    request: ChatRequest, format_: Format, knowledge: Knowledge, name: str | None
) -> tuple[dict[str, Any], bool]:
    """Choose the constraint that forces a call, and tell whether it is in the model's own format."""
    tools, parallel = [_sendable(tool) for tool in request.tools or ()], request.parallel_tool_calls is not False
    tag = forced_tag(format_, tools, name, parallel=parallel) if knowledge.takes_structural_tags else None
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
    request: ChatRequest, format_: Format | None, family: Family | None, via: str, *, recover: bool = False
) -> Callable[[int], DeltaFilter]:
    reasoning = _reasoning(request, family)

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


def _reasoning(request: ChatRequest, family: Family | None) -> str | None:
    """Choose how reasoning is split off the text, where the server has not done so."""
    if request.reasoning_parser != "auto":
        return request.reasoning_parser
    return family.reasoning if family is not None and family.pattern in PREFILLED and _thinks(request) else "auto"


PREFILLED = frozenset({"qwq", "deepseek-r1"})
"""Families whose templates put the opener of the reasoning into every prompt."""


def _thinks(request: ChatRequest) -> bool:
    keys = request.chat_template_kwargs or {}
    return (
        request.reasoning not in (False, "none")
        and keys.get("enable_thinking", keys.get("thinking", True)) is not False
    )
