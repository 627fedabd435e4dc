"""Objects that are built without validation equal those of the constructor."""

import copy
import pickle
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from vllm_connect.adapters import other_fields, unvalidated


class Block(BaseModel):
    """A class as frameworks have them."""

    kind: str = "text"
    text: str
    tags: list[str] = Field(default_factory=list)


class OpenBlock(Block):
    """A class that allows extra fields."""

    model_config = ConfigDict(extra="allow")


def state(built: BaseModel) -> tuple[Any, ...]:
    return built.__dict__, built.model_fields_set, built.__pydantic_extra__, built.__pydantic_private__


def test_an_object_equals_that_of_the_constructor() -> None:
    for cls, extra in ((Block, None), (OpenBlock, {})):
        built = unvalidated(cls, {"kind": "text", "text": "Hi", "tags": []}, {"text"}, extra)
        constructed = cls(text="Hi")
        assert built == constructed
        assert state(built) == state(constructed)
        assert copy.deepcopy(built) == pickle.loads(pickle.dumps(built)) == constructed  # noqa: S301 - our own


def test_a_field_that_the_adapter_does_not_know_gets_its_default() -> None:
    class Later(Block):
        added: list[int] = Field(default_factory=list)

    first, second = (unvalidated(Later, {"kind": "text", "text": "Hi", "tags": []}, {"text"}) for _ in range(2))
    first.added.append(1)
    assert second.added == []
    assert [name for name, _ in other_fields(Later, ("kind", "text", "tags"))] == ["added"]
