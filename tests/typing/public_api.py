"""The public API as callers write it; mypy checks it, nothing runs it."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

from langchain_core.messages import AIMessage
from langchain_vllm import ChatVllm
from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index_vllm import VllmLLM
from vllm_connect import (
    AsyncVllmClient,
    ChatRequest,
    Completion,
    Delta,
    Finish,
    Format,
    OutputParser,
    ReasoningDelta,
    ServerInfo,
    SSEDecoder,
    TextDelta,
    ToolCallDelta,
    UsageReport,
    VllmClient,
    VllmConfig,
    VllmError,
    find_format,
    fold,
    format_names,
    parse_output,
)

tools: list[dict[str, Any]] = []
completion: Completion = parse_output("", tool_parser="hermes", reasoning_parser=None, tools=tools)
parser: OutputParser = OutputParser(tool_parser="hermes", reasoning_parser="qwen3", tools=tools)
deltas: list[Delta] = [*parser.push(""), *parser.finish()]
folded: Completion = fold(deltas)
names: list[str] = [call.name for call in folded.tool_calls]
arguments: list[str] = [call.arguments for call in folded.tool_calls]
ids: list[str] = [call.id for call in folded.invalid_tool_calls]
text: str = folded.text + folded.reasoning
format_: Format = find_format("hermes")
all_names: list[str] = format_names()
events: list[str] = SSEDecoder().feed(b"")
config: VllmConfig = VllmConfig(base_url="http://localhost:8000", api_key="key", timeout=60, max_retries=2)
request: ChatRequest = ChatRequest(messages=[{"role": "user", "content": "Hi"}], top_k=20, tools=tools)


def use_client(client: VllmClient) -> None:
    """Use the blocking client."""
    answer: Completion = client.complete(request)
    stream: Generator[list[Delta], None, None] = client.stream(request)
    info: ServerInfo = client.server_info()
    count: int = client.count_tokens(request)
    del answer, stream, info, count


async def use_async_client(client: AsyncVllmClient) -> None:
    """Use the other one."""
    answer: Completion = await client.complete(request)
    stream: AsyncGenerator[list[Delta], None] = client.stream(request)
    del answer, stream


def read(delta: Delta) -> str:
    """Match every delta."""
    match delta:
        case TextDelta(text=piece) | ReasoningDelta(text=piece):
            return piece
        case ToolCallDelta(arguments=piece):
            return piece
        case Finish(reason=reason):
            return reason
        case UsageReport(usage=usage):
            return str(usage.total_tokens)
    return ""


def use_langchain() -> AIMessage:
    """Use LangChain's model."""
    model = ChatVllm(model="demo", base_url="http://localhost:8000", temperature=0, top_k=20, tool_parser="hermes")
    return model.invoke("Hi")


def use_llama_index() -> ChatResponse:
    """Use LlamaIndex's model."""
    llm = VllmLLM(model="demo", base_url="http://localhost:8000", temperature=0, top_k=20, tool_parser="hermes")
    return llm.chat([ChatMessage(role="user", content="Hi")])


def catch(error: VllmError) -> tuple[str, bool, int | None, Completion | None]:
    """Read an error."""
    return error.code, error.retryable, error.status, error.partial
