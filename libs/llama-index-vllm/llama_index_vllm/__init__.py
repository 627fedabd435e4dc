"""A vLLM server as an LLM of LlamaIndex: chat, streams, tools, reasoning, structured prediction."""

from vllm_connect.adapters import StructuredOutputError

from llama_index_vllm.base import VllmLLM
from llama_index_vllm.tools import ToolCallArgumentsError

__version__ = "0.1.0"

__all__ = ["StructuredOutputError", "ToolCallArgumentsError", "VllmLLM"]
