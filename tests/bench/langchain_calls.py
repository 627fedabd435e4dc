"""How any chat model of LangChain is measured: through its public methods."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel

from tests.bench import langchain_histories

__all__ = ["LangChainSubject"]

QUESTION = "Say something."
TOOL = {"name": "look_up", "description": "Look it up.", "parameters": {"type": "object", "properties": {}}}


class LangChainSubject:
    """Measures a chat model, of which there is one for each address."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, bool], Any] = {}
        self._held: Any = None

    def construct(self, url: str) -> BaseChatModel:
        """Make a model."""
        raise NotImplementedError

    def _model(self, url: str, tools: bool = False) -> Any:
        key = (url, tools)
        if key not in self._models:
            model = self.construct(url)
            self._models[key] = model.bind_tools([TOOL]) if tools else model
        return self._models[key]

    def stream(self, url: str, tools: bool) -> Iterator[Any]:
        return self._model(url, tools).stream(QUESTION)  # type: ignore[no-any-return]  # a runnable of any kind

    async def astream(self, url: str, tools: bool) -> AsyncIterator[Any]:
        return self._model(url, tools).astream(QUESTION)  # type: ignore[no-any-return]  # the same

    def text(self, chunk: Any) -> str:
        return chunk.content  # type: ignore[no-any-return]  # a chunk of the class above

    def call(self, url: str) -> Any:
        return self._model(url).invoke(QUESTION)

    async def acall(self, url: str, times: int) -> Any:
        if times == 1:
            return await self._model(url).ainvoke(QUESTION)
        return await self._model(url).abatch([QUESTION] * times)

    def history(self, new: bool) -> Any:
        if new or self._held is None:
            self._held = (langchain_histories.messages(), langchain_histories.tools())
        return self._held

    def call_history(self, url: str, history: Any) -> Any:
        messages, tools = history
        return self._model(url).bind_tools(tools).invoke(messages)
