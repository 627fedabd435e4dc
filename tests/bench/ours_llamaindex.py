"""`VllmLLM`."""

from llama_index_vllm import VllmLLM

from tests.bench.llamaindex_calls import LlamaIndexSubject

__all__ = ["Ours", "OursApart"]


class Ours(LlamaIndexSubject):
    """As it comes."""

    def construct(self, url: str) -> VllmLLM:
        return VllmLLM(base_url=url, model="m", api_key="sk")


class OursApart(LlamaIndexSubject):
    """With a chunk for each event, though several arrived together."""

    def construct(self, url: str) -> VllmLLM:
        return VllmLLM(base_url=url, model="m", api_key="sk", coalesce=False)
