"""`include_response_headers` in both frameworks, streamed or not."""

from typing import Any

from langchain_vllm import ChatVllm
from llama_index_vllm import VllmLLM
from vllm_connect.testing import LoopbackServer

from tests.matrix.settings import answer


def test_headers_of_the_response_are_in_the_metadata_where_requested() -> None:
    with LoopbackServer(answer) as server:
        model = ChatVllm(base_url=server.url)
        chunks: list[Any] = list(model.stream("Hi", include_response_headers=True))
        messages = [model.invoke("Hi", include_response_headers=True), sum(chunks[1:], chunks[0])]
        for message in messages:
            assert message.response_metadata["headers"]["content-type"]
        assert "headers" not in model.invoke("Hi").response_metadata
        llm = VllmLLM(base_url=server.url, include_response_headers=True)
        response = llm.complete("Hi")
        assert response.additional_kwargs["headers"]["content-type"]
