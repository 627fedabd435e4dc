"""Conversions that are done once per object.

An agent binds the same tools before each call, and their JSON schemas are slow to build. A conversion is kept as long as
its object is alive and unchanged.
"""

import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["IdentityCache"]

Source = TypeVar("Source")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Entry(Generic[Source, Result]):
    source: "weakref.ref[Source]"
    fingerprint: object
    result: Result


class IdentityCache(Generic[Source, Result]):
    """Results of converting objects, by the identity of the object.

    Results are shared between calls: copy one before you change it.

    Args:
        fingerprint: Returns what the result depends on and what a program may change in an object: as long as it
            compares equal, the result holds.
    """

    def __init__(self, fingerprint: Callable[[Source], object]) -> None:
        self._fingerprint = fingerprint
        self._entries: dict[tuple[int, Hashable], _Entry[Source, Result]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, source: Source, convert: Callable[[], Result], *, variant: Hashable = None) -> Result:
        """Return what an object was converted to, converting it if that has not been done.

        Args:
            source: The object. One that cannot be referenced weakly is converted each time.
            convert: Converts it.
            variant: Distinguishes several conversions of one object.
        """
        key = (id(source), variant)
        fingerprint = self._fingerprint(source)
        entry = self._entries[key] if key in self._entries else None  # noqa: SIM401 - runs for each tool of each call
        if entry is not None and entry.source() is source and entry.fingerprint == fingerprint:
            return entry.result
        result = convert()
        try:
            reference = weakref.ref(source, lambda _: self._entries.pop(key, None))
        except TypeError:
            return result
        self._entries[key] = _Entry(reference, fingerprint, result)
        return result
