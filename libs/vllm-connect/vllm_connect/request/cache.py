"""The requests of one model: settings that are the same as in the call before are not validated again.

`RequestCache().build({"temperature": 0}, messages, tools)` is `ChatRequest(temperature=0, messages=messages, tools=tools)`.
"""

from typing import Any

from pydantic import ValidationError

from vllm_connect.config.validation import configuration_error
from vllm_connect.request.chat_request import ChatRequest

__all__ = ["RequestCache"]

PLAIN = (str, int, float, bool, type(None))
"""Types of values that cannot change."""


class RequestCache:
    """Builds the requests of one model."""

    def __init__(self) -> None:
        self._last: tuple[dict[str, Any], ChatRequest] | None = None

    def build(
        self, fields: dict[str, Any], messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None
    ) -> ChatRequest:
        """Build a request.

        Args:
            fields: The fields of `ChatRequest`, as given; kept.
            messages: Wire messages, which are not validated.
            tools: Wire tools, which are not validated.

        Raises:
            ConfigurationError: A field's value is not valid; the message does not show it.
        """
        varying = {"messages": messages, "tools": tools}
        last = self._last
        if last is None or last[0] != fields:
            last = (fields, _validated(fields))
            if all(type(value) in PLAIN for value in fields.values()):
                self._last = last
        return last[1].model_copy(update=varying)


def _validated(fields: dict[str, Any]) -> ChatRequest:
    try:
        return ChatRequest(**fields, messages=[])
    except ValidationError as error:
        problem = configuration_error(error)
    raise problem
