r"""A JSON object that is still being written.

`{"city": "Tok` is read as `{"city": "Tok"}`. Reading all of the text again for each new piece would take quadratic time;
beyond the first kilobyte the text is read again only after it has grown by a sixteenth, so that every character is read
a bounded number of times.
"""

from typing import Any

from pydantic_core import from_json

__all__ = ["PartialObject", "parse_partial"]

ALWAYS_READ = 1024
GROWTH = 4  # as a shift: one sixteenth


def parse_partial(text: str) -> dict[str, Any] | list[Any] | None:
    """Parse the beginning of a JSON object or array.

    Returns:
        The value as far as it has been written; None if the text is not the beginning of an object or array.
    """
    try:
        value = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


class PartialObject:
    """The JSON object in a text that grows.

    Attributes:
        value: The object at the last parse. It is never changed, only replaced by the next one.
    """

    __slots__ = ("_next_length", "value")

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self._next_length = 0

    def update(self, text: str) -> bool:
        """Parse the text if it has grown enough since the last time.

        Args:
            text: All of the text so far.

        Returns:
            Whether `value` is what the text says now. Text that is not the beginning of an object leaves it unchanged.
        """
        length = len(text)
        if length < self._next_length:
            return False
        self._next_length = length + (length >> GROWTH if length > ALWAYS_READ else 0)
        value = parse_partial(text)
        if not isinstance(value, dict):
            return False
        self.value = value
        return True
