"""`ChatVllm`."""

import asyncio
import importlib

from langchain_vllm import ChatVllm

from tests.bench.langchain_calls import LangChainSubject

__all__ = ["Ours", "OursApart", "OursUvloop"]


class Ours(LangChainSubject):
    """As it comes."""

    def construct(self, url: str) -> ChatVllm:
        return ChatVllm(base_url=url, model="m", api_key="sk")


class OursApart(LangChainSubject):
    """With a chunk for each event, though several arrived together."""

    def construct(self, url: str) -> ChatVllm:
        return ChatVllm(base_url=url, model="m", api_key="sk", coalesce=False)


class OursUvloop(LangChainSubject):
    """With uvloop's event loop."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Create the event loop to measure in."""
        loop: asyncio.AbstractEventLoop = importlib.import_module(
            "uvloop"
        ).new_event_loop()  # it is in the peers' environment
        return loop

    def construct(self, url: str) -> ChatVllm:
        return ChatVllm(base_url=url, model="m", api_key="sk")
