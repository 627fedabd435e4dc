"""Add `ChatVllm` to LangChain's loader, as its standard suite requires of third parties."""

import sys
from collections.abc import Iterator

import langchain_core.load  # noqa: F401 - its module is reached through sys.modules, a function has taken its name
import pytest

CLASS = ("langchain_vllm", "chat_models", "ChatVllm")


@pytest.fixture(autouse=True)
def _loadable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    loader = sys.modules["langchain_core.load.load"]
    monkeypatch.setitem(loader.ALL_SERIALIZABLE_MAPPINGS, CLASS, CLASS)
    monkeypatch.setattr(loader, "_default_class_paths_cache", {}, raising=False)
    yield
    monkeypatch.undo()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "MAX_RETRIES", "MODEL", "TEMPERATURE", "TIMEOUT"):
        monkeypatch.delenv(f"VLLM_{name}", raising=False)
