"""What LlamaIndex knows of the model, asked of the server only when somebody wants to know.

`{"data": [{"id": "demo", "max_model_len": 4096}]}` (`/v1/models`) is `context_window=4096`. `metadata` is read on every
call, and most readers want to know whether this is a chat model; only a reader of `context_window` makes a request.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import LLMMetadata
from pydantic import PrivateAttr, SerializerFunctionWrapHandler, model_serializer

__all__ = ["ServedMetadata"]


class ServedMetadata(LLMMetadata):
    """Metadata whose `context_window` is looked up when it is read.

    Args:
        discover: Tells the context window, in tokens.
        known: The fields that are known.
    """

    _discover: Callable[[], int] = PrivateAttr()

    def __init__(self, discover: Callable[[], int], **known: Any) -> None:
        super().__init__(**known)
        self._discover = discover
        del self.__dict__["context_window"]

    if not TYPE_CHECKING:  # for a type checker context_window is the field it was declared as

        def __getattr__(self, name: str) -> Any:
            if name != "context_window":
                return super().__getattr__(name)
            return self._discover()

    @model_serializer(mode="wrap")
    def _whole(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {**handler(self), "context_window": self.context_window}
