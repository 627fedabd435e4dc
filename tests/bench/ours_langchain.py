"""`ChatVllm`."""

from langchain_vllm import ChatVllm

from tests.bench.langchain_calls import LangChainSubject

__all__ = ["Ours", "OursApart"]


class Ours(LangChainSubject):
    """As it comes."""

    def construct(self, url: str) -> ChatVllm:
        return ChatVllm(base_url=url, model="m", api_key="sk")


class OursApart(LangChainSubject):
    """With a chunk for each event, though several arrived together."""

    def construct(self, url: str) -> ChatVllm:
        return ChatVllm(base_url=url, model="m", api_key="sk", coalesce=False)
