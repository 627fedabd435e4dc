"""Answers in the form of a schema.

`with_structured_output(Joke)` sends `{"response_format": {"type": "json_schema", "json_schema": {"name": "Joke",
"schema": {…}}}}` and reads `{"setup": "…", "punchline": "…"}` as a `Joke`. A stream yields the dict as far as it has
come; the end is read strictly, so that a cut answer is an error and no shorter answer.
Source: the structured outputs of vLLM 0.32.0, and BaseChatModel.with_structured_output.
"""

import dataclasses
import enum
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal, TypeAlias

import pydantic
import pydantic_core
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass
from vllm_connect import Completion

from langchain_vllm.bare import as_tool, choices_of, is_bare, type_adapter, value_of
from langchain_vllm.errors import ConfigurationError, StructuredOutputError

__all__ = ["Form", "FormParser", "Method", "Schema", "form_of", "parsed", "response_format"]

Method: TypeAlias = Literal["json_schema", "function_calling", "json_mode"]
Schema: TypeAlias = Any
"""A dict, a class, or any type that pydantic knows, which no type checker can say."""
RESPONSE_FORMATS = frozenset({"json_object", "json_schema", "structural_tag", "text"})


@dataclasses.dataclass(frozen=True)
class Form:
    """What a schema means.

    Attributes:
        name: Its name, as vLLM allows names.
        schema: The JSON schema.
        read: Turns an answer's JSON text into what the caller wants; raises ValueError.
        partial: Whether a part of the answer is something to show: it is for dicts.
        tool: What to bind as a tool in place of the schema, where LangChain cannot read that as one.
        choices: The words among which the answer is one, None where it is JSON.
        read_call: Reads a tool's arguments, None where they are read as an answer is.
    """

    name: str
    schema: dict[str, Any]
    read: Callable[[str], Any]
    partial: bool
    tool: dict[str, Any] | None = None
    choices: tuple[str, ...] | None = None
    read_call: Callable[[str], Any] | None = None

    def of_call(self) -> "Form":
        """Give the form of a tool's arguments."""
        return self if self.read_call is None else dataclasses.replace(self, read=self.read_call)


def form_of(schema: Schema) -> Form:
    """Understand a schema.

    Args:
        schema: A pydantic class (v1 or v2), a `TypedDict`, a dataclass, a JSON schema, a tool's dict, or another type:
            `Literal["a", "b"]`, an `Enum`, `bool`, `list[int]`.

    Raises:
        ConfigurationError: It is none of these.
    """
    if isinstance(schema, Mapping):
        return _form_of_dict(dict(schema))
    if isinstance(schema, str):
        raise ConfigurationError("a schema is a class, a type or a dict, not str")
    return _form_of_type(schema) if is_bare(schema) else _form_of_class(schema)


def _form_of_type(schema: Any) -> Form:
    adapter = type_adapter(schema)
    name = _name(getattr(schema, "__name__", "answer")) if isinstance(schema, enum.EnumMeta) else "answer"
    plain = {"title": name, **adapter.json_schema()}
    values = choices_of(schema)

    def chosen(text: str) -> Any:
        try:
            return (values or {})[text.strip()]
        except KeyError:
            raise ValueError("it is none of the choices") from None

    return Form(
        name,
        plain,
        adapter.validate_json if values is None else chosen,
        partial=False,
        tool=as_tool(name, plain),
        choices=None if values is None else tuple(values),
        read_call=value_of(adapter.validate_python),
    )


@lru_cache(maxsize=256)
def _form_of_class(schema: type) -> Form:
    name = _name(schema.__name__)
    if dataclasses.is_dataclass(schema):
        adapter = pydantic.TypeAdapter(schema)
        plain = {"title": schema.__name__, **adapter.json_schema()}
        return Form(name, plain, adapter.validate_json, partial=False, tool=plain)
    if not is_basemodel_subclass(schema):
        return _form_of_dict(_converted(schema))
    if issubclass(schema, pydantic.BaseModel):
        return Form(name, schema.model_json_schema(), schema.model_validate_json, partial=False)
    older: Any = schema  # a class of pydantic.v1
    return Form(name, older.schema(), lambda text: older.parse_obj(json.loads(text)), partial=False)


def _form_of_dict(schema: dict[str, Any]) -> Form:
    plain = {"title": "answer", **schema} if TOOL_KEYS.isdisjoint(schema) else _converted(schema)
    tool = plain if TOOL_KEYS.isdisjoint(schema) and "title" not in schema else None
    return Form(_name(str(plain["title"])), plain, _fitting(plain), partial=True, tool=tool)


TOOL_KEYS = frozenset({"function", "input_schema", "parameters", "toolSpec"})
"""Keys by which a tool's dict is known from a JSON schema."""


def _converted(schema: Any) -> dict[str, Any]:
    try:
        return convert_to_json_schema(schema)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"the schema cannot be read, give a pydantic class, a TypedDict, a dataclass or a JSON schema: {error}"
        ) from error


def _name(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", title)[:64]


def _fitting(schema: dict[str, Any]) -> Callable[[str], Any]:
    """Make a reader that holds an answer against a JSON schema."""

    def read(text: str) -> Any:
        from jsonschema.exceptions import ValidationError  # noqa: PLC0415 - slow to import, and few need it
        from jsonschema.validators import validator_for  # noqa: PLC0415

        value = json.loads(text)
        try:
            validator_for(schema)(schema).validate(value)
        except ValidationError as error:
            raise ValueError(f"{error.json_path}: {error.message}") from None
        return value

    return read


def response_format(form: Schema | None, *, strict: bool | None = None) -> dict[str, Any] | None:
    """Spell a constraint as vLLM's `response_format`.

    Args:
        form: A schema in any shape, or a `response_format` already.
        strict: What `strict` is to say; None says nothing.
    """
    if form is None or (isinstance(form, Mapping) and form.get("type") in RESPONSE_FORMATS):
        return None if form is None else dict(form)
    meant = form_of(form)
    body: dict[str, Any] = {"name": meant.name, "schema": meant.schema}
    if strict is not None:
        body["strict"] = strict
    return {"type": "json_schema", "json_schema": body}


class FormParser(BaseCumulativeTransformOutputParser[Any]):
    """Reads answers as a schema wants them."""

    form: Any = None
    """The `Form`, None for any JSON."""
    tool: str | None = None
    """The tool whose arguments are the answer; None where its text is."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Read an answer, or as much of it as has come.

        Args:
            result: The generation.
            partial: More may come.

        Returns:
            What the schema stands for; of a part, the dict so far, or None where there is nothing to show.

        Raises:
            StructuredOutputError: The answer has ended and does not have the form.
        """
        message = _message(result[0])
        text = message.text if self.tool is None else _arguments(message, self.tool)
        if partial and getattr(message, "chunk_position", "last") != "last":
            return self._part(text or "")
        if text is None:
            problem = _no_call(message, str(self.tool))
            raise StructuredOutputError(problem, llm_output=message.text, partial=_kept(message, message.text))
        try:
            return json.loads(_unfenced(text)) if self.form is None else self.form.read(_unfenced(text))
        except ValueError as error:
            reason = _why(message, text) or f"it does not have the form of the schema: {_reason(error)}"
        facts = {"code": "truncated"} if message.response_metadata.get("finish_reason") == "length" else {}
        raise StructuredOutputError(
            f"the answer cannot be used: {reason}", llm_output=text, partial=_kept(message, text), **facts
        )

    def parse(self, text: str) -> Any:
        """Read a text."""
        return self.parse_result([ChatGeneration(message=AIMessage(text))])

    def _part(self, text: str) -> Any:
        if self.form is not None and not self.form.partial:
            return None
        try:
            part = pydantic_core.from_json(_unfenced(text), allow_partial="trailing-strings")
        except ValueError:
            return None
        return part if isinstance(part, dict | list) else None

    @property
    def _type(self) -> str:
        return "vllm_form"


def _message(generation: Generation) -> BaseMessage:
    return generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)


def _arguments(message: BaseMessage, tool: str) -> str | None:
    """Find the arguments of the first call of a tool."""
    if isinstance(message, AIMessageChunk) and message.chunk_position != "last":
        return next((c["args"] for c in message.tool_call_chunks if c["name"] == tool), None)
    calls = getattr(message, "tool_calls", ())
    return next((json.dumps(c["args"], ensure_ascii=False) for c in calls if c["name"] == tool), None)


def _no_call(message: BaseMessage, tool: str) -> str:
    for call in getattr(message, "invalid_tool_calls", ()):
        return f"the answer cannot be used: the call of {call['name']!r} is invalid: {call['error']}"
    return f"the server did not enforce the call of the tool {tool!r}: the answer has none; try method='json_schema'"


def _kept(message: BaseMessage, text: str) -> Completion:
    return Completion(
        text=text,
        reasoning=message.additional_kwargs.get("reasoning_content", ""),
        finish_reason=message.response_metadata.get("finish_reason"),
    )


def _why(message: BaseMessage, text: str) -> str | None:
    if message.response_metadata.get("finish_reason") == "length":
        return "it was cut by max_tokens: allow more"
    if not text.strip():
        reasoning = message.additional_kwargs.get("reasoning_content")
        also = ", all of it is reasoning: is the server's reasoning parser the right one?" if reasoning else ""
        return f"it is empty{also}"
    return None


def _reason(error: ValueError) -> str:
    if isinstance(error, pydantic.ValidationError):
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)
    return str(error)


def _unfenced(text: str) -> str:
    """Take JSON out of the code fence that a model may put round it."""
    opener, line_end, fenced = text.lstrip().partition("\n")
    if not line_end or opener.rstrip() not in ("```", "```json"):
        return text
    return fenced.rstrip().removesuffix("```")


def parsed(
    model: Runnable[LanguageModelInput, AIMessage], parser: FormParser, *, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """Put a parser behind a model.

    Args:
        model: The model, bound.
        parser: The parser.
        include_raw: Give `{"raw", "parsed", "parsing_error"}` and raise nothing.
    """
    if not include_raw:
        return model | parser
    tried = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=RunnableLambda(lambda _: None)
    ).with_fallbacks([RunnablePassthrough.assign(parsed=RunnableLambda(lambda _: None))], exception_key="parsing_error")
    return RunnableMap({"raw": model}) | tried
