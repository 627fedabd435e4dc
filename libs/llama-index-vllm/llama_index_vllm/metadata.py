"""The model's metadata, whose context window is asked of the server only when it is read.

`{"data": [{"id": "demo", "max_model_len": 4096}]}` (`/v1/models`) is `context_window=4096`. `metadata` is read in every
call, mostly for `is_chat_model`; only reading `context_window` makes a request.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import LLMMetadata
from pydantic import PrivateAttr, SerializerFunctionWrapHandler, model_serializer

__all__ = ["ServedMetadata"]


class ServedMetadata(LLMMetadata):
    """Metadata whose `context_window` is determined when it is read.

    Args:
        discover: Returns the context window in tokens.
        known: The other fields.
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
    def _serialize(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {**handler(self), "context_window": self.context_window}
