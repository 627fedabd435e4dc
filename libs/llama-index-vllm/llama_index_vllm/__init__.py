"""A vLLM server as an LLM of LlamaIndex: chat, streams, tools, reasoning, structured prediction."""

from llama_index_vllm.llm import VllmLLM
from llama_index_vllm.structured import StructuredOutputError
from llama_index_vllm.tools import ToolCallArgumentsError

__version__ = "0.1.0"

__all__ = ["StructuredOutputError", "ToolCallArgumentsError", "VllmLLM"]
