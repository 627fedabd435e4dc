"""The clients that people use for vLLM today, tried on the same faults, in environments of their own.

`python -m tests.faults --client openai` runs the cells of `ChatOpenAI` in `.venv-peers`, where langchain-openai is, and
`--client openai-like` those of `OpenAILike` in `.venv-peers-llamaindex`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.clients import LangChain, LlamaIndex
from tests.faults.fault import CANARY

__all__ = ["ENVIRONMENTS", "peer"]

ENVIRONMENTS = {"openai": ".venv-peers", "openai-like": ".venv-peers-llamaindex"}
"""Where each of them is installed."""


def told(url: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Say a fault's settings in the words of the OpenAI clients, which know one timeout."""
    timeouts = settings.get("timeout") or {}
    return {
        "api_base": url,
        "api_key": CANARY,
        "max_retries": settings.get("max_retries", 0),
        "timeout": min(timeouts.values(), default=20.0),
        "model": "demo",
    }


class OpenAI(LangChain):
    """ChatOpenAI."""

    def made(self, url: str, settings: Mapping[str, Any]) -> Any:
        from langchain_openai import ChatOpenAI  # noqa: PLC0415 - in its own environment

        said = told(url, settings)
        return ChatOpenAI(**{"base_url" if name == "api_base" else name: value for name, value in said.items()})


class OpenAILike(LlamaIndex):
    """LlamaIndex's OpenAILike."""

    def made(self, url: str, settings: Mapping[str, Any]) -> Any:
        from llama_index.llms.openai_like import OpenAILike as Like  # noqa: PLC0415 - in its own environment

        return Like(**told(url, settings), is_chat_model=True, is_function_calling_model=True)


def peer(name: str) -> Callable[..., Any]:
    """Find a client by its name."""
    return {"openai": OpenAI, "openai-like": OpenAILike}[name]
