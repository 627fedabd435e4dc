"""A tool is described once, and again when it was changed."""

import gc

from llama_index.core.tools.types import ToolMetadata
from llama_index_vllm.descriptions import _KEPT, described
from pydantic import BaseModel


class Sum(BaseModel):
    """Arguments."""

    a: int


class Product(BaseModel):
    """Other arguments."""

    b: int


def test_a_tool_is_described_once() -> None:
    tool = ToolMetadata(description="Add.", name="add", fn_schema=Sum)
    first = described(tool)
    assert described(tool) is first
    assert first == tool.to_openai_tool()


def test_a_tool_that_was_changed_is_described_again() -> None:
    tool = ToolMetadata(description="Add.", name="add", fn_schema=Sum)
    described(tool)
    tool.fn_schema = Product
    tool.description = "Multiply."
    assert described(tool) == tool.to_openai_tool()
    assert "b" in described(tool)["function"]["parameters"]["properties"]


def test_nothing_is_kept_of_a_tool_that_is_gone() -> None:
    tool = ToolMetadata(description="Add.", name="add", fn_schema=Sum)
    described(tool)
    kept = [key for key, value in _KEPT.items() if value.spec is described(tool)]
    assert len(kept) == 1
    spec = described(tool)
    del tool
    gc.collect()
    assert all(value.spec is not spec for value in _KEPT.values())


class Dated(ToolMetadata):
    """Says something else each time."""

    asked = 0

    def get_parameters_dict(self) -> dict[str, object]:
        self.asked += 1
        return {"type": "object", "properties": {str(self.asked): {}}}


def test_a_subclass_is_asked_each_time() -> None:
    tool = Dated(description="Add.", name="add", fn_schema=Sum)
    assert described(tool) != described(tool)
