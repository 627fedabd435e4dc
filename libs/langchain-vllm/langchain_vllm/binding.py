"""Tools and schemas bound to a `ChatVllm`."""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from typing_extensions import override
from vllm_connect import refuse_unknown, resolve_tool_choice

from langchain_vllm.errors import ConfigurationError, model_errors
from langchain_vllm.served import ServedModel
from langchain_vllm.settings import CALL_ARGUMENTS, TRACING
from langchain_vllm.structured import FormParser, Method, Schema, form_of, parsed, response_format
from langchain_vllm.tools import Tool, to_wire_tools

__all__ = ["BindingModel"]

METHODS = ("json_schema", "function_calling", "json_mode")


class BindingModel(ServedModel):
    """The part of a `ChatVllm` that binds tools and schemas."""

    @override
    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call tools.

        Args:
            tools: `BaseTool`s, functions, pydantic classes, `TypedDict`s, JSON schemas, or the dicts of OpenAI and
                Anthropic.
            tool_choice: `auto`, `none`, `any` or `required` (the same), a tool's name, OpenAI's dict, or a boolean:
                True is `required`, False `none`.
            strict: Whether arguments must have the form of the tool's schema.
            parallel_tool_calls: False allows one call in an answer.
            **kwargs: Whatever a call may set, such as `response_format`.

        Returns:
            The model, bound.

        Raises:
            ConfigurationError: Something is no tool, or the choice names none of them.
        """
        with model_errors:
            refuse_unknown(kwargs, CALL_ARGUMENTS | TRACING)
            wire = to_wire_tools(tools, strict=strict)
            bound: dict[str, Any] = {"tools": wire} if wire else {}
            choice = resolve_tool_choice(tool_choice, wire)
        if choice is not None:
            bound["tool_choice"] = choice
        if parallel_tool_calls is not None and wire:
            bound["parallel_tool_calls"] = parallel_tool_calls
        return self.bind(**bound, **kwargs)

    @override
    def with_structured_output(
        self,
        schema: Schema | None = None,
        *,
        method: Method = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answer in the form of a schema.

        Args:
            schema: A pydantic class (v1 or v2), a `TypedDict`, a dataclass, a JSON schema, a tool's dict, or another type,
                such as `Literal["a", "b"]`, an `Enum`, `bool` or `list[int]`. Only `json_mode` works without one.
            method: `json_schema` constrains the answer; `function_calling` forces a call of a tool with the schema;
                `json_mode` constrains the answer to a JSON object, whose form the prompt has to describe.
            include_raw: Give `{"raw", "parsed", "parsing_error"}`, and raise nothing for an answer that cannot be used.
            strict: What the request says of strictness; not for `json_mode`.
            **kwargs: Whatever a call may set.

        Returns:
            A runnable that gives what the schema stands for: an instance of a class, a dict for the others. A stream
            gives dicts as far as they have come, and instances at the end.

        Raises:
            ConfigurationError: The schema cannot be read, or the method does not exist.
            StructuredOutputError: When run: the answer does not have the form.
        """
        with model_errors:
            if method not in METHODS:
                raise ConfigurationError(f"method={method!r} does not exist: it is one of {', '.join(METHODS)}")
            if schema is None and method != "json_mode":
                raise ConfigurationError(f"method={method!r} needs a schema")
            if strict is not None and method == "json_mode":
                raise ConfigurationError("json_mode has no strict: leave it out, or use json_schema")
            refuse_unknown(kwargs, CALL_ARGUMENTS)
            form = None if schema is None else form_of(schema)
            if form is not None and form.read_call is not None and method == "json_mode":
                raise ConfigurationError("json_mode gives an object, which this type is none of: use json_schema")
        shown: Any = schema if form is None or form.tool is None else form.tool
        traced: dict[str, Any] = {}
        if form is not None:
            traced = {"ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": shown}}
        if method == "function_calling" and form is not None:
            tool = to_wire_tools([shown], strict=strict)
            name = tool[0]["function"]["name"]
            model = self.bind_tools(
                tool, tool_choice=name, **{"parallel_tool_calls": False, "check_constraints": False, **traced, **kwargs}
            )
            return parsed(model, FormParser(form=form.of_call(), tool=name), include_raw=include_raw)
        wanted: dict[str, Any] = {"response_format": {"type": "json_object"}, "structured_outputs": None}
        if form is not None and form.choices is not None:
            wanted = {"response_format": None, "structured_outputs": {"choice": list(form.choices)}}
        elif method != "json_mode":
            wanted["response_format"] = response_format(schema, strict=strict)
        model = self.bind(**{**wanted, "check_constraints": False, **traced, **kwargs})
        return parsed(model, FormParser(form=form), include_raw=include_raw)
