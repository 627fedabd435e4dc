"""Real servers, started once a session and only when a test asks for them."""

import os
from collections.abc import Iterator

import pytest

from tests.live.vllm_server import running

HERMES = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3"]
PYTHONIC = ["--enable-auto-tool-choice", "--tool-call-parser", "pythonic"]
QWEN3_CODER = ["--enable-auto-tool-choice", "--tool-call-parser", "qwen3_coder", "--reasoning-parser", "qwen3"]
DETAILS = ["--enable-prompt-tokens-details"]


def _server(variable: str, flags: list[str]) -> Iterator[str]:
    given = os.environ.get(variable)
    if given:
        yield given
    else:
        with running([*flags, *DETAILS]) as url:
            yield url


@pytest.fixture(scope="session")
def flagged_server() -> Iterator[str]:
    """A server with the right parsers; `VLLM_BASE_URL` names one that runs already."""
    yield from _server("VLLM_BASE_URL", HERMES)


@pytest.fixture(scope="session")
def plain_server() -> Iterator[str]:
    """A server without parser flags, which takes a request's template; `VLLM_PLAIN_BASE_URL` names one that runs already."""
    yield from _server("VLLM_PLAIN_BASE_URL", ["--trust-request-chat-template"])


@pytest.fixture(scope="session")
def wrong_server() -> Iterator[str]:
    """A server with a parser of another family; `VLLM_WRONG_BASE_URL` names one that runs already."""
    yield from _server("VLLM_WRONG_BASE_URL", PYTHONIC)


@pytest.fixture(scope="session")
def dropping_server() -> Iterator[str]:
    """A server whose parser deletes the demo model's calls; `VLLM_EATING_BASE_URL` names one that runs already."""
    yield from _server("VLLM_EATING_BASE_URL", QWEN3_CODER)
