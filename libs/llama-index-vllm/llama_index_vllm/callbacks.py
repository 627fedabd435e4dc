"""LlamaIndex's callbacks and events around a method, with its type kept.

`@chat_events` is `@llm_chat_callback()`, which is not typed.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

__all__ = ["chat_events", "completion_events"]

Method = TypeVar("Method", bound=Callable[..., Any])


def chat_events(method: Method) -> Method:
    """Report the start, the chunks and the end of a chat."""
    return cast("Method", llm_chat_callback()(method))


def completion_events(method: Method) -> Method:
    """Report the start, the chunks and the end of a completion."""
    return cast("Method", llm_completion_callback()(method))
