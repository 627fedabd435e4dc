"""Which connection serves which call: the rules of a pool, without I/O, a clock or a lock.

At most `size` calls have a place at a time. The connection that was used last is used again first, so that the others
grow old and are closed; a server closes what is idle for five seconds, and we do before it. Calls wait in the order in
which they came. A place whose caller does not read its stream in time is given to a call that waits.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["Place", "Pool", "Pooled"]


class Pooled(Protocol):
    """What a pool asks of a connection."""

    def is_alive(self) -> bool:
        """Check whether an idle connection can be used: neither data nor an end was received."""

    def expire(self, now: float) -> bool:
        """Close the connection if the caller has left the response unread for too long; return whether that is so."""

    def close(self) -> None:
        """Close the connection; once more does nothing."""


C = TypeVar("C", bound=Pooled)


class Place(Generic[C]):
    """The place of one call in a pool.

    Attributes:
        granted: The call may be served.
        connection: The call's connection: at first one that was kept, or None where a new one is to be opened.
        wake: Called when the place is granted after a wait.
    """

    __slots__ = ("connection", "granted", "wake")

    def __init__(self) -> None:
        self.granted = False
        self.connection: C | None = None
        self.wake: Callable[[], None] | None = None


class Pool(Generic[C]):
    """The connections to one server; the caller makes sure that one thread at a time uses it.

    Args:
        size: The most calls at a time.
        keepalive_expiry: How long an idle connection is kept, in seconds.
    """

    def __init__(self, size: int, keepalive_expiry: float) -> None:
        self._size = size
        self._expiry = keepalive_expiry
        self._idle: list[tuple[C, float]] = []
        self._used: set[Place[C]] = set()
        self._waiting: deque[Place[C]] = deque()

    def request(self, now: float) -> Place[C]:
        """Return a place, granted at once where there is room and no call waits for it already."""
        place: Place[C] = Place()
        self._waiting.append(place)
        self._grant(now)
        return place

    def release(self, place: Place[C], now: float, *, keep: bool) -> None:
        """Free the slot of a call that has ended or of one that no longer waits.

        Args:
            place: The place.
            now: The time.
            keep: Whether its connection can serve again; it is closed otherwise.
        """
        connection, place.connection = place.connection, None
        if place not in self._used:
            if not place.granted and place in self._waiting:
                self._waiting.remove(place)
            keep = False
        self._used.discard(place)
        if connection is not None:
            if keep and self._expiry:
                self._idle.append((connection, now))
            else:
                connection.close()
        self._grant(now)

    def reclaim(self, now: float) -> None:
        """Pass slots of streams that nobody reads to calls that wait."""
        self._used -= {place for place in self._used if place.connection is not None and place.connection.expire(now)}
        self._grant(now)

    def discard(self, connection: C) -> None:
        """Forget an idle connection that has ended."""
        self._idle = [(each, since) for each, since in self._idle if each is not connection]

    def close_expired(self, now: float) -> float | None:
        """Close the connections that were idle too long; return when the next one is, None where there is none."""
        while self._idle and now - self._idle[0][1] >= self._expiry:
            self._idle.pop(0)[0].close()
        return self._idle[0][1] + self._expiry if self._idle else None

    def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _grant(self, now: float) -> None:
        while self._waiting and len(self._used) < self._size:
            place = self._waiting.popleft()
            place.connection = self._kept(now)
            place.granted = True
            self._used.add(place)
            if place.wake is not None:
                place.wake()

    def _kept(self, now: float) -> C | None:
        """Return the connection used last, None where none can be used."""
        self.close_expired(now)
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.is_alive():
                return connection
            connection.close()
        return None
