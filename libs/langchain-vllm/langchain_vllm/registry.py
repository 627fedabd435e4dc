"""`init_chat_model("vllm:demo")`, for those who ask for it.

LangChain looks providers up in a table of its own and has no way for others to enter it, so an entry is made there,
by an explicit call and never by an import. Source: _BUILTIN_PROVIDERS (langchain/chat_models/base.py, 1.4).
"""

from typing import Any

from langchain_core.language_models import BaseChatModel

from langchain_vllm.errors import ConfigurationError
from langchain_vllm.messages import PROVIDER

__all__ = ["register"]


def register() -> None:
    """Make `init_chat_model("vllm:<model>")` and `create_agent("vllm:<model>")` work.

    Raises:
        ConfigurationError: `langchain` is not installed, or this version of it keeps its table elsewhere.
    """
    try:
        from langchain.chat_models import base  # noqa: PLC0415 - an optional package

        providers = base._BUILTIN_PROVIDERS  # noqa: SLF001 - there is no public way
    except (ImportError, AttributeError):
        raise ConfigurationError(
            "register() needs the langchain package, version 1.4 or a similar one: "
            "install it, or pass ChatVllm(...) itself where a model is expected"
        ) from None
    providers[PROVIDER] = ("langchain_vllm", "ChatVllm", _make)


def _make(cls: type[BaseChatModel], **given: Any) -> BaseChatModel:
    return cls(**given)
