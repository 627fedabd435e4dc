"""The clients that people use for vLLM today, tried on the same faults, in environments of their own.

`python -m tests.faults --client openai` runs the cells of `ChatOpenAI` in `.venv-peers`, where langchain-openai is, and
`--client openai-like` those of `OpenAILike` in `.venv-peers-llamaindex`.
"""

from typing import Any

from tests.faults.clients import Asker, LangChain, LlamaIndex

__all__ = ["ENVIRONMENTS", "PEERS"]

ENVIRONMENTS = {"openai": ".venv-peers", "openai-like": ".venv-peers-llamaindex"}
"""Where each of them is installed."""


def told(settings: dict[str, Any]) -> dict[str, Any]:
    """Say a fault's settings in the words of the OpenAI clients, which know one timeout."""
    timeouts = settings.get("timeout") or {}
    return {
        "api_key": settings["api_key"] or "EMPTY",
        "max_retries": settings["max_retries"],
        "default_headers": settings["headers"],
        "timeout": min(timeouts.values(), default=20.0),
        "model": "demo",
    }


class OpenAI(LangChain):
    """ChatOpenAI."""

    def build(self, url: str, **settings: Any) -> Any:
        from langchain_openai import ChatOpenAI  # noqa: PLC0415 - in its own environment

        return ChatOpenAI(base_url=url, **told(settings))


class OpenAILike(LlamaIndex):
    """LlamaIndex's OpenAILike."""

    def build(self, url: str, **settings: Any) -> Any:
        from llama_index.llms.openai_like import OpenAILike as Like  # noqa: PLC0415 - in its own environment

        return Like(api_base=url, **told(settings), is_chat_model=True, is_function_calling_model=True)


PEERS: dict[str, type[Asker]] = {"openai": OpenAI, "openai-like": OpenAILike}
