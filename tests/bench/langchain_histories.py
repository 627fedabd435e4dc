"""The long conversation in LangChain's classes."""

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field, create_model

from tests.bench.conversations import MESSAGES, TOOLS, parameters, turns

__all__ = ["messages", "tools"]


def messages() -> list[BaseMessage]:
    """Make the messages."""
    made: list[BaseMessage] = []
    for turn in turns(MESSAGES):
        if turn["role"] == "user":
            made.append(HumanMessage(turn["text"]))
        elif turn["role"] == "tool":
            made.append(ToolMessage(turn["text"], tool_call_id=turn["id"]))
        elif "call" in turn:
            made.append(AIMessage("", tool_calls=[{"name": "tool_1", "args": turn["call"], "id": turn["id"]}]))
        else:
            made.append(AIMessage(turn["text"]))
    return made


def tools() -> list[BaseTool]:
    """Make the tools."""
    fields: dict[str, Any] = {
        name: (str, Field(description=field["description"])) for name, field in parameters()["properties"].items()
    }
    made: list[BaseTool] = []
    for number in range(TOOLS):
        schema: type[BaseModel] = create_model(f"Arguments{number}", **fields)
        made.append(StructuredTool(name=f"tool_{number}", description="Look it up.", args_schema=schema, func=str))
    return made
