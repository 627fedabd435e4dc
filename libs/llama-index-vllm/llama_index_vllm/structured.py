"""Structured prediction: objects of a pydantic class, enforced by the server.

`llm.structured_predict(City, prompt)` sends `"response_format": {"type": "json_schema", "json_schema": {"name": "City",
"schema": {…}, "strict": true}}`, which needs no tool parser and no model that can call tools. What comes back is
validated all the same. `pydantic_program_mode` chooses another way:

* `DEFAULT`, `LM_FORMAT_ENFORCER`: as above.
* `FUNCTION`, `OPENAI`: one tool with the class's fields, and the server is told that it is required.
* `LLM`: the schema stands in the prompt and the answer's text is parsed. LlamaIndex's own program does it, on copies of
  prompt and arguments, because it changes both.
"""

import re
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from copy import deepcopy
from typing import Any, Generic

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # all import it from here
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import Model, PydanticProgramMode
from pydantic import BaseModel, ValidationError
from typing_extensions import override
from vllm_connect import Completion, ConstraintError

from llama_index_vllm.partial import PartialObject
from llama_index_vllm.tools import ToolCalling

__all__ = ["StructuredOutputError", "StructuredPrediction", "json_schema_format"]

BY_SCHEMA = frozenset({PydanticProgramMode.DEFAULT, PydanticProgramMode.LM_FORMAT_ENFORCER})
BY_TOOL = frozenset({PydanticProgramMode.FUNCTION, PydanticProgramMode.OPENAI})

OF_THE_PROGRAM = frozenset({"allow_parallel_tool_calls", "tool_choice", "tool_required"})
"""Arguments that a structured prediction decides itself; LlamaIndex's own programs drop them, too."""

dispatcher = get_dispatcher(__name__)

Prompt = PromptTemplate
Arguments = Mapping[str, Any]


class StructuredOutputError(ConstraintError, ValueError):
    """The answer is no object of the class asked for; `code` is `truncated`, `empty` or `schema`."""

    code = "schema"


def json_schema_format(output_cls: type[BaseModel]) -> dict[str, Any]:
    """Spell a class as the `response_format` of a request.

    Args:
        output_cls: A pydantic class.
    """
    schema = output_cls.model_json_schema()
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", schema.get("title") or output_cls.__name__)
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


class StructuredPrediction(ToolCalling):
    """Structured prediction in the ways a vLLM server offers, and in LlamaIndex's own."""

    @override
    def structured_predict(
        self, output_cls: type[Model], prompt: Prompt, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Model:
        """Predict an object.

        Args:
            output_cls: Its class.
            prompt: The prompt.
            llm_kwargs: Arguments of `chat`; they are not changed.
            prompt_args: Values for the prompt's variables.

        Returns:
            The object, validated.

        Raises:
            StructuredOutputError: The answer is no such object, or was cut before it was one.
        """
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            predicted: Model = super().structured_predict(
                output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args
            )
            return predicted
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        output = read_output(output_cls, self.chat(**call))
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    @override
    async def astructured_predict(
        self, output_cls: type[Model], prompt: Prompt, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Model:
        """Predict an object; see `structured_predict`."""
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            predicted: Model = await super().astructured_predict(
                output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args
            )
            return predicted
        dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )
        output = read_output(output_cls, await self.achat(**call))
        dispatcher.event(LLMStructuredPredictEndEvent(output=output))
        return output

    @override
    def _structured_stream_call(
        self, output_cls: type[Model], prompt: Prompt, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Generator[Model | list[Model] | FlexibleModel | list[FlexibleModel], None, None]:
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            return super()._structured_stream_call(output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args)
        return self._objects(output_cls, call)

    @override
    async def _structured_astream_call(
        self, output_cls: type[Model], prompt: Prompt, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Model | list[Model] | FlexibleModel | list[FlexibleModel], None]:
        call = self._structured_call(output_cls, prompt, llm_kwargs, prompt_args)
        if call is None:
            return await super()._structured_astream_call(
                output_cls, deepcopy(prompt), dict(llm_kwargs or {}), **prompt_args
            )
        return self._aobjects(output_cls, call)

    def _objects(self, output_cls: type[Model], call: dict[str, Any]) -> Generator[Model | FlexibleModel, None, None]:
        growing = _Growing(output_cls)
        with closing(self.stream_chat(**call)) as responses:
            for response in responses:
                if (partial := growing.take(response)) is not None:
                    yield partial
        yield growing.output()

    async def _aobjects(
        self, output_cls: type[Model], call: dict[str, Any]
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        growing = _Growing(output_cls)
        async with aclosing(await self.astream_chat(**call)) as responses:
            async for response in responses:
                if (partial := growing.take(response)) is not None:
                    yield partial
        yield growing.output()

    def _structured_call(
        self, output_cls: type[BaseModel], prompt: Prompt, llm_kwargs: Arguments | None, prompt_args: Arguments
    ) -> dict[str, Any] | None:
        """Prepare the arguments of `chat`, None where LlamaIndex's own program has to do it."""
        mode = self.pydantic_program_mode
        if mode not in BY_SCHEMA | BY_TOOL:
            return None
        kwargs = {name: value for name, value in (llm_kwargs or {}).items() if name not in OF_THE_PROGRAM}
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        kwargs["structured_outputs"] = None  # the model's own constraint would be a second one
        kwargs.setdefault("check_constraints", False)  # what comes is validated here
        if mode in BY_SCHEMA:
            return {**kwargs, "messages": messages, "response_format": json_schema_format(output_cls)}
        kwargs["response_format"] = None
        tool = get_function_tool(output_cls)
        return self._prepare_chat_with_tools([tool], chat_history=messages, tool_required=True, **kwargs)


class _Growing(Generic[Model]):
    """An object while it is being written.

    Args:
        output_cls: Its class.
    """

    def __init__(self, output_cls: type[Model]) -> None:
        self._output_cls = output_cls
        self._flexible = create_flexible_model(output_cls)
        self._partial = PartialObject()
        self._last: ChatResponse | None = None

    def take(self, response: ChatResponse) -> Model | FlexibleModel | None:
        """Take a chunk of the answer.

        Returns:
            What there is of the object, with the class's fields, all optional, as long as it lacks some; None where
            nothing was added.
        """
        self._last = response
        text = _text(response)
        if not text or not self._partial.read(text):
            return None
        value = dict(self._partial.value)
        try:
            return self._output_cls.model_validate(value)
        except ValidationError:
            return self._flexible.model_validate(value)

    def output(self) -> Model:
        """Read the whole object, as `read_output` does."""
        if self._last is None:
            raise _empty(self._output_cls)
        return read_output(self._output_cls, self._last)


def read_output(output_cls: type[Model], response: ChatResponse) -> Model:
    """Read the object out of an ended answer: the first tool call's arguments if there is one, else the text.

    Args:
        output_cls: The object's class.
        response: The answer.

    Returns:
        The object.

    Raises:
        StructuredOutputError: It is no such object; `partial.text` is what came instead.
    """
    text = _text(response)
    facts = response.additional_kwargs
    cut = facts.get("finish_reason") == "length"
    kept = Completion(text=text, finish_reason=facts.get("finish_reason"))
    if not text:
        raise _truncated(output_cls, kept) if cut else _empty(output_cls, kept)
    try:
        if facts.get("invalid_tool_calls"):
            broken = facts["invalid_tool_calls"][0]["error"]
            raise _truncated(output_cls, kept) if cut else _wrong(output_cls, broken, kept)
        return output_cls.model_validate_json(text)
    except ValidationError as error:
        problem = _truncated(output_cls, kept) if cut else _wrong(output_cls, _described(error), kept)
    raise problem


def _text(response: ChatResponse) -> str:
    calls = response.message.additional_kwargs.get("tool_calls")
    return calls[0]["function"]["arguments"] if calls else response.message.content or ""


def _described(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg']}" for problem in problems)


def _truncated(output_cls: type[BaseModel], kept: Completion) -> StructuredOutputError:
    return StructuredOutputError(
        f"the answer was cut before it was a whole {output_cls.__name__}: raise max_tokens, or let the model think less",
        code="truncated",
        partial=kept,
    )


def _empty(output_cls: type[BaseModel], kept: Completion | None = None) -> StructuredOutputError:
    return StructuredOutputError(
        f"the answer is empty where a {output_cls.__name__} was asked for: look at its reasoning, "
        "and whether the server's reasoning parser is the model's",
        code="empty",
        partial=kept,
    )


def _wrong(output_cls: type[BaseModel], problem: str, kept: Completion) -> StructuredOutputError:
    return StructuredOutputError(
        f"the answer is no {output_cls.__name__} ({problem}): the server did not enforce the schema, "
        "or the class demands more than its schema says",
        partial=kept,
    )
