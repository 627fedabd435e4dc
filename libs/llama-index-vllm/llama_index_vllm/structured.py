"""Structured prediction: objects of a pydantic class, enforced by the server.

`llm.structured_predict(City, prompt)` sends `"response_format": {"type": "json_schema", "json_schema": {"name": "City",
"schema": {…}, "strict": true}}`, which needs no tool parser and no model that can call tools. The answer is validated all
the same. `pydantic_program_mode` selects another way:

* `DEFAULT`, `LM_FORMAT_ENFORCER`: as above.
* `FUNCTION`, `OPENAI`: one required tool with the class's fields.
* `LLM`: the prompt contains the schema, and the answer's text is parsed. LlamaIndex's own program does it, on copies of
  prompt and arguments, because it changes both.
"""

from collections.abc import Mapping
from typing import Any, Generic

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ThinkingBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import Model, PydanticProgramMode
from pydantic import BaseModel, ValidationError
from vllm_connect import Completion
from vllm_connect.adapters import (
    PartialObject,
    StructuredOutputError,
    response_format,
    strip_code_fence,
    structured_output_problem,
    validation_details,
)

__all__ = ["OutputStream", "read_output", "structured_arguments"]

BY_SCHEMA = frozenset({PydanticProgramMode.DEFAULT, PydanticProgramMode.LM_FORMAT_ENFORCER})
BY_TOOL = frozenset({PydanticProgramMode.FUNCTION, PydanticProgramMode.OPENAI})

PROGRAM_ARGUMENTS = frozenset({"allow_parallel_tool_calls", "tool_choice", "tool_required"})
"""Arguments that a structured prediction sets itself; LlamaIndex's own programs ignore them, too."""


def structured_arguments(
    llm: FunctionCallingLLM,
    output_cls: type[BaseModel],
    prompt: PromptTemplate,
    llm_kwargs: Mapping[str, Any] | None,
    prompt_args: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Build the arguments of `chat` for a structured prediction.

    Args:
        llm: The model.
        output_cls: The class of the object.
        prompt: The prompt.
        llm_kwargs: Further arguments of `chat`; they are not changed.
        prompt_args: Values for the prompt's variables.

    Returns:
        The arguments; None in a mode in which the server enforces nothing and LlamaIndex's own program parses the text.
    """
    mode = llm.pydantic_program_mode
    if mode not in BY_SCHEMA | BY_TOOL:
        return None
    kwargs = {name: value for name, value in (llm_kwargs or {}).items() if name not in PROGRAM_ARGUMENTS}
    messages = llm._extend_messages(prompt.format_messages(llm=llm, **prompt_args))  # noqa: SLF001 - adds the system prompt
    kwargs["structured_outputs"] = None  # the model's own constraint would be a second one
    kwargs.setdefault("check_constraints", False)  # the answer is validated here
    if mode in BY_SCHEMA:
        return {**kwargs, "messages": messages, "response_format": response_format(output_cls, strict=True)}
    kwargs["response_format"] = None
    tool = get_function_tool(output_cls)
    return llm._prepare_chat_with_tools([tool], chat_history=messages, tool_required=True, **kwargs)  # noqa: SLF001 - as its callers do


class OutputStream(Generic[Model]):
    """An object while its answer is being written.

    Args:
        output_cls: Its class.
    """

    def __init__(self, output_cls: type[Model]) -> None:
        self._output_cls = output_cls
        self._flexible_cls = create_flexible_model(output_cls)
        self._partial = PartialObject()
        self._last: ChatResponse | None = None

    def push(self, response: ChatResponse) -> Model | FlexibleModel | None:
        """Read a chunk of the answer.

        Returns:
            The object so far: of the class, or, if fields are missing, of a class with the same fields, all optional.
            None if nothing was added.
        """
        self._last = response
        text = strip_code_fence(_text(response))
        if not text or not self._partial.update(text):
            return None
        value = dict(self._partial.value)
        try:
            return self._output_cls.model_validate(value)
        except ValidationError:
            return self._flexible_cls.model_validate(value)

    def finish(self) -> Model:
        """Return the complete object; see `read_output`."""
        return read_output(self._output_cls, self._last or ChatResponse(message=ChatMessage(role="assistant")))


def read_output(output_cls: type[Model], response: ChatResponse) -> Model:
    """Parse the object of a complete answer: the arguments of its first tool call, else its text.

    Args:
        output_cls: The object's class.
        response: The answer.

    Raises:
        StructuredOutputError: The answer does not match the class; `partial.text` is its text.
    """
    text = _text(response)
    facts = response.additional_kwargs
    try:
        if invalid := facts.get("invalid_tool_calls"):
            raise ValueError(invalid[0]["error"])
        return output_cls.model_validate_json(strip_code_fence(text))
    except ValueError as error:
        completion = Completion(text=text, reasoning=_reasoning(response), finish_reason=facts.get("finish_reason"))
        problem = structured_output_problem(
            output_cls.__name__,
            text,
            validation_details(error),
            finish_reason=completion.finish_reason,
            reasoning=completion.reasoning,
        )
    raise StructuredOutputError(problem.message, code=problem.code, partial=completion)


def _text(response: ChatResponse) -> str:
    calls = response.message.additional_kwargs.get("tool_calls")
    return calls[0]["function"]["arguments"] if calls else response.message.content or ""


def _reasoning(response: ChatResponse) -> str:
    blocks = response.message.blocks
    return "".join(block.content or "" for block in blocks if isinstance(block, ThinkingBlock))
