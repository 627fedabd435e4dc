"""Structured output.

`with_structured_output(Joke)` sends `{"response_format": {"type": "json_schema", "json_schema": {"name": "Joke",
"schema": {…}}}}` and parses `{"setup": "…", "punchline": "…"}` to a `Joke`. A stream yields the dict as far as it has been
written; the complete answer is parsed strictly, so that a truncated answer is an error and not a shorter answer.
Source: the structured outputs of vLLM 0.32.0, and BaseChatModel.with_structured_output.
"""

import json
from collections.abc import Mapping
from operator import itemgetter
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap, RunnablePassthrough
from pydantic import WithJsonSchema
from typing_extensions import override
from vllm_connect import Completion
from vllm_connect.adapters import parse_partial, strip_code_fence, structured_output_problem, validation_details

from langchain_vllm.errors import ConfigurationError, RefusalError, StructuredOutputError
from langchain_vllm.schemas import OutputSchema, Schema, output_schema, to_response_format
from langchain_vllm.tools import to_wire_tools

__all__ = ["Method", "SchemaParser", "StructuredCall", "structured_call", "with_parser"]

Method: TypeAlias = Literal["json_schema", "function_calling", "json_mode"]
METHODS = ("json_schema", "function_calling", "json_mode")


class StructuredCall(NamedTuple):
    """A call whose answer matches a schema.

    Attributes:
        bound: The arguments of the call.
        parser: The parser of its answer.
    """

    bound: dict[str, Any]
    parser: "SchemaParser"


def structured_call(schema: Schema | None, method: str, *, strict: bool | None) -> StructuredCall:
    """Prepare a call whose answer matches a schema; see `ChatVllm.with_structured_output`.

    Raises:
        ConfigurationError: The schema cannot be converted, or the method does not exist or does not suit the schema.
    """
    if method not in METHODS:
        raise ConfigurationError(f"method={method!r} does not exist: it is one of {', '.join(METHODS)}")
    if schema is None and method != "json_mode":
        raise ConfigurationError(f"method={method!r} needs a schema")
    if strict is not None and method == "json_mode":
        raise ConfigurationError("method='json_mode' does not support strict: leave it out, or use 'json_schema'")
    read = None if schema is None else output_schema(schema)
    if read is None:
        return StructuredCall({**JSON_MODE, **UNCHECKED}, SchemaParser())
    if read.parse_arguments is not None and method == "json_mode":
        raise ConfigurationError("method='json_mode' returns an object, and this type is not one: use 'json_schema'")
    shown: Any = schema if read.tool is None else read.tool
    traced = {"ls_structured_output_format": {"kwargs": {"method": method, "strict": strict}, "schema": shown}}
    if method == "function_calling":
        tools = to_wire_tools([shown], strict=strict)
        name = tools[0]["function"]["name"]
        bound = {"tools": tools, "tool_choice": name, "parallel_tool_calls": False, **UNCHECKED, **traced}
        return StructuredCall(bound, SchemaParser(expected=read.of_arguments(), tool=name))
    constraint: Mapping[str, Any] = JSON_MODE
    if read.choices is not None:
        constraint = {"response_format": None, "structured_outputs": {"choice": list(read.choices)}}
    elif method != "json_mode":
        constraint = {**JSON_MODE, "response_format": to_response_format(schema, strict=strict)}
    return StructuredCall({**constraint, **UNCHECKED, **traced}, SchemaParser(expected=read))


JSON_MODE: Mapping[str, Any] = {"response_format": {"type": "json_object"}, "structured_outputs": None}
UNCHECKED: Mapping[str, Any] = {"check_constraints": False}
"""The parser validates the answer."""


class SchemaParser(BaseCumulativeTransformOutputParser[Any]):
    """Parses answers that match a schema."""

    expected: Any = None
    """The `OutputSchema`, None for any JSON."""
    tool: str | None = None
    """The tool whose arguments are the answer; None if its text is."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Parse an answer, or its beginning.

        Args:
            result: The generation.
            partial: The answer may be incomplete.

        Returns:
            An instance of the class, or a dict; of an incomplete answer the dict so far, or None if nothing was parsed yet. None, too,
            where the model calls a tool instead of answering.

        Raises:
            StructuredOutputError: The answer is complete and does not match the schema.
            RefusalError: The server marks the answer as a refusal.
        """
        message = _message(result[0])
        text = message.text if self.tool is None else _arguments(message, self.tool)
        if partial and getattr(message, "chunk_position", "last") != "last":
            return self._parse_part(text or "")
        _raise_refusal(message)
        if self.tool is None and getattr(message, "tool_calls", None):
            return None  # the model calls one of the tools that were bound beside the schema
        error: ValueError
        if text is not None:
            try:
                return self._parse(strip_code_fence(text))
            except ValueError as raised:
                error = raised
        elif invalid := next(iter(getattr(message, "invalid_tool_calls", ())), None):
            text, error = invalid["args"] or "", ValueError(invalid["error"])
        elif _completion(message, message.text).finish_reason == "length":
            text, error = message.text, ValueError("the answer has no call")
        else:
            raise StructuredOutputError(
                f"the server did not enforce the call of the tool {self.tool!r}, the answer has none: use "
                "method='json_schema'",
                llm_output=message.text,
                partial=_completion(message, message.text),
            )
        completion = _completion(message, text)
        problem = structured_output_problem(
            "JSON" if self.expected is None else self.expected.name,
            text,
            validation_details(error),
            finish_reason=completion.finish_reason,
            reasoning=completion.reasoning,
        )
        raise StructuredOutputError(problem.message, llm_output=text, partial=completion, code=problem.code)

    @property
    @override
    def OutputType(self) -> Any:
        """The type of the parsed answer."""
        schema: OutputSchema | None = self.expected
        if schema is None:
            return Any
        return schema.output_type or Annotated[dict[str, Any], WithJsonSchema(schema.json_schema)]

    def parse(self, text: str) -> Any:
        """Parse a text."""
        return self.parse_result([ChatGeneration(message=AIMessage(text))])

    def _parse(self, text: str) -> Any:
        schema: OutputSchema | None = self.expected
        return json.loads(text) if schema is None else schema.parse(text)

    def _parse_part(self, text: str) -> Any:
        schema: OutputSchema | None = self.expected
        return parse_partial(strip_code_fence(text)) if schema is None or schema.is_dict else None

    @property
    def _type(self) -> str:
        return "vllm_schema"


def _raise_refusal(message: BaseMessage) -> None:
    """Raise a `RefusalError` where the server marks the answer as a refusal."""
    if message.response_metadata.get("refused"):
        error = RefusalError(
            "the model refused to answer: its text is in .partial", partial=_completion(message, message.text)
        )
        error.raw_message = message
        raise error


def _message(generation: Generation) -> BaseMessage:
    return generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)


def _arguments(message: BaseMessage, tool: str) -> str | None:
    """Return the arguments of the first call of a tool."""
    if isinstance(message, AIMessageChunk) and message.chunk_position != "last":
        return next((c["args"] for c in message.tool_call_chunks if c["name"] == tool), None)
    calls = getattr(message, "tool_calls", ())
    return next((json.dumps(c["args"], ensure_ascii=False) for c in calls if c["name"] == tool), None)


def _completion(message: BaseMessage, text: str) -> Completion:
    return Completion(
        text=text,
        reasoning=message.additional_kwargs.get("reasoning_content", ""),
        finish_reason=message.response_metadata.get("finish_reason"),
    )


def with_parser(
    model: Runnable[LanguageModelInput, AIMessage], parser: SchemaParser, *, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """Append a parser to a model.

    Args:
        model: The model, bound.
        parser: The parser.
        include_raw: Return `{"raw", "parsed", "parsing_error"}`, and raise no error of the parser.
    """
    if not include_raw:
        return model | parser
    tried = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=RunnableLambda(lambda _: None)
    ).with_fallbacks([RunnablePassthrough.assign(parsed=RunnableLambda(lambda _: None))], exception_key="parsing_error")
    return RunnableMap({"raw": model}) | tried
