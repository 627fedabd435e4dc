"""The URL of a server, from that of an endpoint."""

import pytest
from vllm_connect.config.urls import split_base_url


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1/completions", "/v1/models"])
@pytest.mark.parametrize("prefix", ["", "/proxy/vllm"])
def test_the_path_of_an_endpoint_is_dropped(prefix: str, path: str) -> None:
    assert split_base_url(f"http://host:8000{prefix}{path}") == (f"http://host:8000{prefix}", None)
