r"""A JSON object while it is being written, as far as it goes.

`{"city": "Tok` is `{"city": "Tok"}`. A text that grows piece by piece would take quadratic time if each piece meant
reading all of it again; beyond the first kilobyte it is read again only after it has grown by a sixteenth, so that
every character is read a bounded number of times.
"""

from typing import Any

from pydantic_core import from_json

__all__ = ["PartialObject"]

ALWAYS_READ = 1024
GROWTH = 4  # as a shift: one sixteenth


class PartialObject:
    """Reads one growing object.

    Attributes:
        value: The object at the last reading; never changed, replaced by the next one.
    """

    __slots__ = ("_next", "value")

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self._next = 0

    def read(self, text: str) -> bool:
        """Read the text if it has grown enough.

        Args:
            text: All of the text so far.

        Returns:
            Whether it was read; `value` then holds it. Text that is no object so far leaves `value` as it was.
        """
        length = len(text)
        if length < self._next:
            return False
        self._next = length + (length >> GROWTH if length > ALWAYS_READ else 0)
        try:
            value = from_json(text, allow_partial="trailing-strings")
        except ValueError:
            return False
        if not isinstance(value, dict):
            return False
        self.value = value
        return True
