"""LangChain's standard integration suite for `ChatVllm`, for whoever has a server.

A subclass gives the address, live or recorded; nothing is overridden and nothing is expected to fail.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_vllm import ChatVllm

__all__ = ["ChatVllmStandardTests"]


class ChatVllmStandardTests(ChatModelIntegrationTests):
    """The suite; it asks for a fixture `vllm_url`, the address of a server of the demo model."""

    base_url: str

    @pytest.fixture(autouse=True)
    def _server(self, vllm_url: str) -> None:
        self.base_url = vllm_url

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatVllm

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "model": "demo", "temperature": 0, "max_tokens": 400}

    @property
    def model_override_value(self) -> str:
        return "demo"

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def enable_vcr_tests(self) -> bool:
        return True

    @pytest.fixture
    def vcr(self, vllm_url: str) -> Any:
        """Say that there are answers to measure with: the address is a server's, live or recorded."""
        return SimpleNamespace(responses=[vllm_url])

    @property
    def supported_usage_metadata_details(self) -> Any:
        return {"invoke": [], "stream": []}
