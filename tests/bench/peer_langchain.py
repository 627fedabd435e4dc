"""`ChatOpenAI`."""

from langchain_openai import ChatOpenAI

from tests.bench.langchain_calls import LangChainSubject

__all__ = ["Peer"]


class Peer(LangChainSubject):
    """As it comes, with usage in streams."""

    def construct(self, url: str) -> ChatOpenAI:
        return ChatOpenAI(base_url=f"{url}/v1", model="m", api_key="sk", stream_usage=True)
