"""LangChain chat model for vLLM."""

from langchain_vllm import content_blocks as _content_blocks  # noqa: F401 - registers the translator of content blocks
from langchain_vllm.chat_models import ChatVllm
from langchain_vllm.registry import register
from langchain_vllm.version import __version__

__all__ = ["ChatVllm", "__version__", "register"]
