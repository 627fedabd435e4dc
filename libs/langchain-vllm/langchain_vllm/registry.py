"""`init_chat_model("vllm:demo")`, after a call of `register()`.

LangChain finds providers in a private table and offers no way to add one, so an entry is added there, by an explicit
call and never by an import. Source: _BUILTIN_PROVIDERS (langchain/chat_models/base.py, 1.4).
"""

from typing import Any

from langchain_core.language_models import BaseChatModel

from langchain_vllm.errors import ConfigurationError
from langchain_vllm.messages import PROVIDER

__all__ = ["register"]


def register() -> None:
    """Register `vllm` as a provider for `init_chat_model("vllm:<model>")` and `create_agent("vllm:<model>")`.

    Raises:
        ConfigurationError: `langchain` is not installed, or this version of it has no such table.
    """
    try:
        from langchain.chat_models import base  # noqa: PLC0415 - an optional package

        providers = base._BUILTIN_PROVIDERS  # noqa: SLF001 - there is no public way
    except (ImportError, AttributeError):
        raise ConfigurationError(
            "register() needs the langchain package, version 1.4 or a similar one: "
            "install it, or pass ChatVllm(...) itself where a model is expected"
        ) from None
    providers[PROVIDER] = ("langchain_vllm", "ChatVllm", _create)


def _create(cls: type[BaseChatModel], **given: Any) -> BaseChatModel:
    return cls(**given)
