"""LangChain chat model for vLLM."""

from langchain_vllm import translator as _translator  # noqa: F401 - registers the translator of content blocks
from langchain_vllm.chat_model import ChatVllm
from langchain_vllm.registry import register
from langchain_vllm.version import __version__

__all__ = ["ChatVllm", "__version__", "register"]
