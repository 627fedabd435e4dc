"""The blocks of an answer with each kind of content, in both frameworks, complete and as a stream."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage
from llama_index_vllm import VllmLLM
from vllm_connect.testing import Answer, Asked, LoopbackServer

__all__ = ["ANSWERS", "AnswerRow", "langchain_blocks", "llamaindex_blocks"]


class AnswerRow(NamedTuple):
    """A row of the matrix.

    Attributes:
        kind: The kind of content.
        message: The server's message, or the delta of its chunk.
        finish: The finish reason.
        langchain: LangChain's blocks, without ids.
        llamaindex: LlamaIndex's blocks, their types and what they hold.
        others: The parts that neither has a block for; they are in the metadata, as `non_text_parts`.
    """

    kind: str
    message: dict[str, Any]
    finish: str
    langchain: list[dict[str, Any]]
    llamaindex: list[tuple[str, Any]]
    others: list[dict[str, Any]] | None = None


def call(arguments: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    return {"content": None, "tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function}]}


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}
ANSWERS = [
    AnswerRow("text", {"content": "Hi"}, "stop", [{"type": "text", "text": "Hi"}], [("TextBlock", "Hi")]),
    AnswerRow(
        "reasoning",
        {"reasoning": "Hm.", "content": "Hi"},
        "stop",
        [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Hi"}],
        [("ThinkingBlock", "Hm."), ("TextBlock", "Hi")],
    ),
    AnswerRow(
        "tool call",
        call('{"x": 1}'),
        "tool_calls",
        [{"type": "tool_call", "name": "f", "args": {"x": 1}}],
        [("ToolCallBlock", {"x": 1})],
    ),
    AnswerRow(
        "tool call that was cut",
        call('{"x": '),
        "length",
        [{"type": "invalid_tool_call", "name": "f", "args": '{"x": ', "error": "the answer was truncated (length)"}],
        [("ToolCallBlock", '{"x": ')],
    ),
    AnswerRow("refusal", {"refusal": "No."}, "stop", [{"type": "refusal", "refusal": "No."}], [("TextBlock", "No.")]),
    AnswerRow(
        "text and a part that is not text",
        {"content": [{"type": "text", "text": "Hi"}, PICTURE]},
        "stop",
        [{"type": "text", "text": "Hi"}],
        [("TextBlock", "Hi")],
        [PICTURE],
    ),
]
"""The matrix."""


def serving(row: AnswerRow) -> LoopbackServer:
    """Create a server that gives one answer, complete or as a stream."""

    def answer(asked: Asked) -> Answer:
        end = {"finish_reason": row.finish}
        if not asked.body.get("stream"):
            return Answer.json({"choices": [{"index": 0, "message": row.message, **end}]})
        return Answer.events(
            [{"choices": [{"index": 0, "delta": row.message}]}, {"choices": [{"index": 0, "delta": {}, **end}]}]
        )

    return LoopbackServer(answer)


def langchain_blocks(row: AnswerRow, *, streamed: bool) -> tuple[list[dict[str, Any]], Any]:
    """Call `ChatVllm`; return the content blocks and the other parts."""
    with serving(row) as server, ChatVllm(base_url=server.url, model="demo") as model:
        if streamed:
            first, *rest = model.stream("Hi")
            message: Any = sum(rest, first)
        else:
            message = model.invoke("Hi")
    blocks = [{k: v for k, v in block.items() if k not in ("id", "index")} for block in message.content_blocks]
    return blocks, message.response_metadata.get("non_text_parts")


def llamaindex_blocks(row: AnswerRow, *, streamed: bool) -> tuple[list[tuple[str, Any]], Any]:
    """Call `VllmLLM`; return each block's type and content, and the other parts."""
    with serving(row) as server:
        llm = VllmLLM(base_url=server.url, model="demo")
        asked = [ChatMessage("Hi")]
        response = list(llm.stream_chat(asked))[-1] if streamed else llm.chat(asked)
    blocks: Sequence[Any] = response.message.blocks
    found = [(type(block).__name__, _content(block)) for block in blocks]
    return found, response.additional_kwargs.get("non_text_parts")


def _content(block: Any) -> Any:
    dumped = json.loads(block.model_dump_json())
    return next(dumped[name] for name in ("text", "content", "tool_kwargs") if name in dumped)
