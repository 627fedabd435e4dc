"""A scripted server, and a model that is connected to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest
import pytest_asyncio
from llama_index_vllm import VllmLLM

from tests.llamaindex.fake_vllm import Answer, FakeVllm

Serve = Callable[..., FakeVllm]
Connect = Callable[..., VllmLLM]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "MAX_RETRIES", "MODEL", "TEMPERATURE", "TIMEOUT"):
        monkeypatch.delenv(f"VLLM_{name}", raising=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with answers."""
    with ExitStack() as stack:

        def start(*answers: Answer, window: int | None = 4096) -> FakeVllm:
            return stack.enter_context(FakeVllm(*answers, window=window).running())

        yield start


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    """Create a model for a server, and close its connections afterwards."""
    made: list[VllmLLM] = []

    def to(server: FakeVllm, **kwargs: object) -> VllmLLM:
        llm = VllmLLM(**{"base_url": server.url, "model": "demo", "max_retries": 0, **kwargs})
        made.append(llm)
        return llm

    yield to
    for llm in made:
        await llm.aclose()
