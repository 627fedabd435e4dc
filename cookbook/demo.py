"""The same two-tool question for a LangChain agent and a LlamaIndex agent, streamed from one vLLM server.

Run it with `make demo`; it reads `VLLM_BASE_URL` and `VLLM_MODEL`.
"""

import asyncio
import os
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, ToolMessage
from langchain_vllm import ChatVllm
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCallResult
from llama_index_vllm import VllmLLM

QUESTION = "What is 2 + (3 * 4)?"
MODEL = os.environ.get("VLLM_MODEL", "demo")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


class Printer:
    """Prints pieces as they arrive, a new line with a label for every kind."""

    def __init__(self) -> None:
        self._label = ""

    def show(self, label: str, piece: str) -> None:
        """Print a piece."""
        if not piece:
            return
        if label != self._label:
            print(f"\n{label:>12}  ", end="")
            self._label = label
        print(piece.replace("\n", " "), end="", flush=True)

    def line(self, label: str, text: str) -> None:
        """Print a whole line."""
        print(f"\n{label:>12}  {text}", end="", flush=True)
        self._label = ""


async def run_langchain() -> None:
    """Stream LangChain's `create_agent`."""
    print(f"\nLangChain · create_agent · {QUESTION}")
    model = ChatVllm(model=MODEL, temperature=0)
    agent: Any = create_agent(model, [add, multiply])
    printer = Printer()
    usage = None
    async for message, _ in agent.astream({"messages": [("user", QUESTION)]}, stream_mode="messages"):
        if isinstance(message, AIMessageChunk):
            printer.show("reasoning", message.additional_kwargs.get("reasoning_content", ""))
            for call in message.tool_call_chunks:
                printer.show("tool call", f"{call['name'] or ''}{call['args'] or ''}")
            printer.show("answer", str(message.text))
            if message.usage_metadata:
                usage = message.usage_metadata
        elif isinstance(message, ToolMessage):
            printer.line("tool result", f"{message.name} = {message.content}")
    if usage:
        printer.line("usage", f"{usage['input_tokens']} in, {usage['output_tokens']} out (last step)")
    await model.aclose()


async def run_llama_index() -> None:
    """Stream LlamaIndex's `FunctionAgent`."""
    print(f"\n\nLlamaIndex · FunctionAgent · {QUESTION}")
    llm = VllmLLM(model=MODEL, temperature=0)
    agent = FunctionAgent(llm=llm, tools=[add, multiply])
    printer = Printer()
    handler = agent.run(QUESTION)
    async for event in handler.stream_events():
        if isinstance(event, AgentStream):
            printer.show("reasoning", event.thinking_delta or "")
            printer.show("answer", event.delta)
        elif isinstance(event, ToolCallResult):
            printer.line("tool call", f"{event.tool_name}{event.tool_kwargs}")
            printer.line("tool result", f"{event.tool_name} = {event.tool_output.content}")
    result: Any = await handler
    raw = result.raw or {}
    usage = raw.get("usage") if isinstance(raw, dict) else None
    if usage:
        printer.line("usage", f"{usage['prompt_tokens']} in, {usage['completion_tokens']} out (last step)")
    await llm.aclose()


async def main() -> None:
    """Run both."""
    await run_langchain()
    await run_llama_index()
    print()


if __name__ == "__main__":
    asyncio.run(main())
