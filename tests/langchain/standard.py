"""LangChain's standard integration suite for `ChatVllm`.

A subclass has the URL of a server, live or recorded; no test is overridden and none is expected to fail.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_vllm import ChatVllm

__all__ = ["ChatVllmStandardTests"]


class ChatVllmStandardTests(ChatModelIntegrationTests):
    """The suite; it needs a fixture `vllm_url`, the URL of a server of the demo model."""

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
        """Return something with responses, which the suite counts: the server is live or recorded."""
        return SimpleNamespace(responses=[vllm_url])

    @property
    def supported_usage_metadata_details(self) -> Any:
        return {"invoke": [], "stream": []}
