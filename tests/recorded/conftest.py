"""The recorded tests see no setting of the environment."""

import sys

import langchain_core.load  # noqa: F401 - its module is reached through sys.modules, a function has taken its name
import pytest

CLASS = ("langchain_vllm", "chat_model", "ChatVllm")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "MAX_RETRIES", "MODEL", "TEMPERATURE", "TIMEOUT"):
        monkeypatch.delenv(f"VLLM_{name}", raising=False)


@pytest.fixture(autouse=True)
def _loadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make LangChain's loader know our class, which is what its standard suite asks of third parties."""
    loader = sys.modules["langchain_core.load.load"]
    monkeypatch.setitem(loader.ALL_SERIALIZABLE_MAPPINGS, CLASS, CLASS)
    monkeypatch.setattr(loader, "_default_class_paths_cache", {}, raising=False)
