"""The long conversation in LlamaIndex's classes."""

from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import Field, create_model

from tests.bench.conversations import MESSAGES, TOOLS, parameters, turns

__all__ = ["messages", "tools"]


def messages() -> list[ChatMessage]:
    """Make the messages."""
    made = []
    for turn in turns(MESSAGES):
        blocks: list[Any] = [TextBlock(text=turn["text"])]
        extra = {"tool_call_id": turn["id"]} if turn["role"] == "tool" else {}
        if "call" in turn:
            blocks = [ToolCallBlock(tool_call_id=turn["id"], tool_name="tool_1", tool_kwargs=turn["call"])]
        made.append(ChatMessage(role=MessageRole(turn["role"]), blocks=blocks, additional_kwargs=extra))
    return made


def look_up(**given: str) -> str:
    """Look it up."""
    return str(given)


def tools() -> list[FunctionTool]:
    """Make the tools."""
    fields: dict[str, Any] = {
        name: (str, Field(description=field["description"])) for name, field in parameters()["properties"].items()
    }
    return [
        FunctionTool(
            look_up,
            ToolMetadata(
                description="Look it up.", name=f"tool_{i}", fn_schema=create_model(f"Arguments{i}", **fields)
            ),
        )
        for i in range(TOOLS)
    ]
