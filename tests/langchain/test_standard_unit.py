"""LangChain's standard unit suite."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests
from langchain_vllm import ChatVllm


class TestChatVllm(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatVllm

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "demo"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            {
                "VLLM_BASE_URL": "http://gpu-1:8000/v1",
                "VLLM_API_KEY": "key-from-env",
                "VLLM_MODEL": "from-env",
                "VLLM_MAX_RETRIES": "5",
                "VLLM_TEMPERATURE": "0.3",
            },
            {},
            {
                "base_url": "http://gpu-1:8000",
                "api_key": "key-from-env",
                "model": "from-env",
                "max_retries": 5,
                "temperature": 0.3,
            },
        )
