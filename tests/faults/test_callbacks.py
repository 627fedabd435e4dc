"""A callback that hangs on the framework raises in the middle of a stream: the stream is closed, the error is its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatInProgressEvent
from llama_index_instrumentation import get_dispatcher

from tests.faults.clients import made
from tests.faults.server import FaultServer
from tests.faults.test_leaving import ENDLESS, PROMPT, OfTheConsumer


class Raising(BaseCallbackHandler):
    """Raises at the first token; `raise_error` has LangChain pass that on."""

    raise_error = True

    def on_llm_new_token(self, *_: Any, **__: Any) -> Any:
        raise OfTheConsumer


class RaisingInALoop(AsyncCallbackHandler):
    """The same in a loop."""

    raise_error = True

    async def on_llm_new_token(self, *_: Any, **__: Any) -> None:
        raise OfTheConsumer


async def drained(stream: AsyncIterator[Any]) -> list[Any]:
    return [piece async for piece in stream]


@pytest.mark.parametrize("how", ["invoke", "stream"])
def test_a_handler_raises(how: str) -> None:
    """F113."""
    with FaultServer(ENDLESS) as server:
        asker = made("langchain", server.url, streaming=True)
        with pytest.raises(OfTheConsumer) as caught:
            list(getattr(asker.held, how)(PROMPT, {"callbacks": [Raising()]}))
        caught.value.__traceback__ = None  # it holds the generators
        server.wait_until_closed()
        assert len(server.requests) == 1
        asker.close()


@pytest.mark.parametrize("handler", [Raising, RaisingInALoop])
@pytest.mark.parametrize("how", ["ainvoke", "astream"])
async def test_a_handler_raises_in_a_loop(how: str, handler: type[BaseCallbackHandler]) -> None:
    """F113."""
    with FaultServer(ENDLESS) as server:
        asker = made("langchain", server.url, streaming=True)
        given = {"callbacks": [handler()]}
        asked = asker.held.ainvoke(PROMPT, given) if how == "ainvoke" else drained(asker.held.astream(PROMPT, given))
        with pytest.raises(OfTheConsumer) as caught:
            await asked
        caught.value.__traceback__ = None  # it holds the generators
        await asyncio.to_thread(server.wait_until_closed)
        assert len(server.requests) == 1
        await asker.aclose()


class RaisingAtEvents(BaseEventHandler):
    """Raises at the first piece of a stream of LlamaIndex."""

    def handle(self, event: Any, **_: Any) -> None:
        if isinstance(event, LLMChatInProgressEvent):
            raise OfTheConsumer


@contextmanager
def watching(handler: BaseEventHandler) -> Iterator[None]:
    root = get_dispatcher()
    root.add_event_handler(handler)
    try:
        yield
    finally:
        root.event_handlers.remove(handler)


def test_a_watcher_raises() -> None:
    """F113: LlamaIndex keeps the errors of those who watch to itself, so that the stream goes on."""
    with FaultServer(ENDLESS) as server, watching(RaisingAtEvents()):
        stream: Any = made("llamaindex", server.url).stream(PROMPT)
        for _ in range(3):
            next(stream)
        stream.close()
        server.wait_for_hang_up()


async def test_a_watcher_raises_in_a_loop() -> None:
    """F113."""
    with FaultServer(ENDLESS) as server, watching(RaisingAtEvents()):
        asker = made("llamaindex", server.url)
        stream: Any = asker.astream(PROMPT)
        for _ in range(3):
            await anext(stream)
        await stream.aclose()
        await asyncio.to_thread(server.wait_for_hang_up)
        await asker.aclose()
