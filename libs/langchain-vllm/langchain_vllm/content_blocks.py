"""Standard content blocks of answers whose `model_provider` is `vllm`.

A chunk's blocks have the indexes `lc_rs_0` (reasoning), `lc_txt_0` (text) and `lc_tc_0`, `lc_tc_1`, … (calls), by
which langchain-core merges the pieces; without them it numbers blocks as their types change, and pieces of text and of
calls end up in one block. Source: merge_lists (langchain_core/utils/_merge.py, 1.6 to 1.7).
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import register_translator
from langchain_core.messages.content import ContentBlock

from langchain_vllm.messages import PROVIDER, reasoning_of

__all__ = ["translate_content", "translate_content_chunk"]


def translate_content(message: AIMessage) -> list[ContentBlock]:
    """List the content blocks of a complete message: its reasoning, its content, its calls."""
    blocks: list[Any] = []
    if reasoning := reasoning_of(message):
        blocks.append({"type": "reasoning", "reasoning": reasoning})
    blocks += _content(message)
    for call in message.tool_calls:
        blocks.append({"type": "tool_call", "name": call["name"], "args": call["args"], "id": call["id"]})
    blocks += [dict(call) for call in message.invalid_tool_calls]
    return blocks


def _content(message: AIMessage) -> list[Any]:
    if isinstance(message.content, str):
        blocks: list[Any] = [{"type": "text", "text": message.content}] if message.content else []
    else:
        blocks = [{"type": "text", "text": b} if isinstance(b, str) else b for b in message.content]
        blocks = [b for b in blocks if b.get("type") not in FROM_FIELDS]
    if message.response_metadata.get("refused"):
        return [{"type": "refusal", "refusal": b["text"]} if b.get("type") == "text" else b for b in blocks]
    if message.response_metadata.get("finish_reason") == "content_filter":
        blocks.append({"type": "refusal", "refusal": "", "extras": {"category": "content_filter"}})
    return blocks


FROM_FIELDS = frozenset({"invalid_tool_call", "reasoning", "thinking", "tool_call", "tool_call_chunk", "tool_use"})
"""Types of blocks that are built from the message's other fields."""


def translate_content_chunk(message: AIMessageChunk) -> list[ContentBlock]:
    """List the content blocks of a chunk; with the last chunk, those of the complete message."""
    if message.chunk_position == "last":
        return translate_content(message)
    blocks: list[Any] = []
    if reasoning := reasoning_of(message):
        blocks.append({"type": "reasoning", "reasoning": reasoning, "index": "lc_rs_0"})
    blocks += [
        {**block, "index": "lc_txt_0"} if _is_text_without_index(block) else block for block in _content(message)
    ]
    blocks += [{**chunk, "index": f"lc_tc_{chunk['index']}"} for chunk in message.tool_call_chunks]
    return blocks


def _is_text_without_index(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and "index" not in block


register_translator(PROVIDER, translate_content, translate_content_chunk)
