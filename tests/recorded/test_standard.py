"""LangChain's standard integration suite, from recordings of a server with the right parsers and of one without any."""

import pytest
from vllm_connect.testing import LoopbackServer

from tests.langchain.standard import ChatVllmStandardTests


class TestWithParsers(ChatVllmStandardTests):
    """A server with the right parsers."""

    @pytest.fixture
    def vllm_url(self, recorded_server: LoopbackServer) -> str:
        return recorded_server.url


class TestWithoutFlags(ChatVllmStandardTests):
    """A server without parser flags."""

    @pytest.fixture
    def vllm_url(self, recorded_plain_server: LoopbackServer) -> str:
        return recorded_plain_server.url
