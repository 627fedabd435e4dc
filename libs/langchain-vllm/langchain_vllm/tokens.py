"""Token counts by the server's own tokenizer and chat template, so that tools and markup are counted too.

`POST /tokenize {"messages": […], "tools": […]}` returns `{"count": 42, "max_model_len": 4096}`. Callers such as
`trim_messages` count many prefixes of one conversation many times, so counts are cached.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from vllm_connect import ChatRequest

__all__ = ["TokenCounts", "estimate", "key_of"]

CAPACITY = 4096


class TokenCounts:
    """The latest counts, by a digest of what was counted; no text is kept."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def __eq__(self, other: object) -> bool:
        """Compare equal: counts make no difference between models."""
        return isinstance(other, TokenCounts)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def get(self, key: str) -> int | None:
        """Return a count, None if it is not known."""
        count = self._counts.get(key)
        if count is not None:
            self._counts.move_to_end(key)
        return count

    def add(self, key: str, count: int) -> int:
        """Add a count, and return it."""
        self._counts[key] = count
        while len(self._counts) > CAPACITY:
            self._counts.popitem(last=False)
        return count


def key_of(base_url: str, request: ChatRequest) -> str:
    """Return a digest of the server and of the whole request, on which a count depends."""
    text = json.dumps([base_url, request.model_dump()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def estimate(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]] | None) -> int:
    """Estimate a count if the server cannot count, for example because its template rejects half a conversation."""
    count = count_tokens_approximately(messages)
    return count + (count_tokens_approximately([json.dumps(tools, ensure_ascii=False)]) if tools else 0)
