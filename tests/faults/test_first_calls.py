"""Threads that use a model first, all at once, share one client and so one pool."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_vllm import ChatVllm
from llama_index_vllm import VllmLLM

THREADS = 8


def client_of_langchain() -> Callable[[], Any]:
    model = ChatVllm(base_url="http://127.0.0.1:1")
    return lambda: model.client


def client_of_llamaindex() -> Callable[[], Any]:
    model = VllmLLM(base_url="http://127.0.0.1:1")
    return lambda: model.client


@pytest.mark.usefixtures("frequent_thread_switches")
@pytest.mark.parametrize("made", [client_of_langchain, client_of_llamaindex])
def test_they_get_the_same_client(made: Callable[[], Callable[[], Any]]) -> None:
    for _ in range(50):
        client = made()
        start = threading.Barrier(THREADS)

        def first(client: Callable[[], Any] = client, start: threading.Barrier = start) -> Any:
            start.wait()
            return client()

        with ThreadPoolExecutor(THREADS) as threads:
            found = [future.result() for future in [threads.submit(first) for _ in range(THREADS)]]
        assert len(set(map(id, found))) == 1
