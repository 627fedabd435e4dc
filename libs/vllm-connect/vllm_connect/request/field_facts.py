"""Facts of a request's field, which stand on the field: `top_k: Annotated[int | None, FieldFacts(...)]`.

Everything that depends on a field is derived from them: what is sent, what renders a prompt, what `/v1/completions` takes,
and which values of a call are merged into the model's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

__all__ = [
    "CHAT_ONLY",
    "CONVERTED",
    "IN_PROMPT",
    "MERGED_IN_PROMPT",
    "NOT_SENT",
    "SHAPES_PROMPT",
    "TEMPLATE_KWARG",
    "FieldFacts",
    "facts_of",
    "fields_where",
]


@dataclass(frozen=True)
class FieldFacts:
    """What is to be known of a request's field.

    Attributes:
        sent: `as_is` under its own name, `converted` by a function, or `never`: an option of this client.
        prompt: Whether the rendered prompt depends on it: `field` where `/tokenize` takes it under its own name,
            `template_kwarg` where it takes it among the template's values, `converted` where it becomes another field.
        completions: How `/v1/completions` treats it: `same`; `done`, where it has no meaning once the prompt is rendered;
            or `refused`, where it has another meaning or none.
        merge: Whether a call's value is merged into the model's instead of replacing it.
    """

    sent: Literal["as_is", "converted", "never"] = "as_is"
    prompt: Literal["field", "template_kwarg", "converted"] | None = None
    completions: Literal["same", "done", "refused"] = "same"
    merge: bool = False


NOT_SENT = FieldFacts(sent="never")
CONVERTED = FieldFacts(sent="converted")
SHAPES_PROMPT = FieldFacts(sent="never", prompt="converted")
IN_PROMPT = FieldFacts(prompt="field", completions="done")
MERGED_IN_PROMPT = FieldFacts(prompt="field", completions="done", merge=True)
TEMPLATE_KWARG = FieldFacts(prompt="template_kwarg", completions="done")
CHAT_ONLY = FieldFacts(completions="refused")
_DEFAULT = FieldFacts()


def facts_of(model: type[BaseModel]) -> dict[str, FieldFacts]:
    """Return the facts of each field of a model, by its name."""
    return {
        name: next((each for each in field.metadata if isinstance(each, FieldFacts)), _DEFAULT)
        for name, field in model.model_fields.items()
    }


def fields_where(model: type[BaseModel], condition: Callable[[FieldFacts], bool]) -> frozenset[str]:
    """List the fields of a model whose facts fulfil a condition."""
    return frozenset(name for name, facts in facts_of(model).items() if condition(facts))
