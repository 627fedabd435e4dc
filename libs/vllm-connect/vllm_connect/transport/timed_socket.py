"""A connected socket, every read and write of it under the deadlines of the call that has it.

A reader that comes late is no reason to lose what has come: as long as there is something to take at once, it is taken.
"""

import io
import math
import os
import socket
import time
from contextlib import suppress

from typing_extensions import Buffer

from vllm_connect.transport.deadlines import Deadlines
from vllm_connect.transport.error_mapping import Place

__all__ = ["Line", "seconds"]

TICK = 5.0
"""Seconds that one system call waits at most; the same for every read, it need not be set for each."""
LATE = 1.0
"""Seconds in which a reader that comes late may take what has come in the meantime."""
LEAST = 0.001
"""Seconds; a timeout of 0 would mean not to wait at all."""


def seconds(limit: float | None, deadlines: Deadlines) -> float | None:
    """Give the time for one step: its own limit, or what is left of the total."""
    left = min(limit or math.inf, deadlines.remaining(time.monotonic()))
    return None if math.isinf(left) else max(left, LEAST)


class Line(io.RawIOBase):
    """A connected socket, every read and write of it under the deadlines of the call."""

    def __init__(self, sock: socket.socket, place: Place) -> None:
        super().__init__()
        self._sock = sock
        self._pid = os.getpid()
        self._timeout = sock.gettimeout()
        self.place = place
        self.received = 0
        self._expired: str | None = None
        self._late_until = math.inf

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read what there is, or wait for it as long as the call may.

        Raises:
            RequestTimeoutError: It was too long.
        """
        waited = False
        while True:
            deadline, phase = self.place.deadlines.next_deadline()
            now = time.monotonic()
            left = deadline - now
            if left > 0:
                self._late_until = math.inf
            elif waited or now > self._late_until:
                raise self.place.timed_out(phase)
            else:
                self._late_until = min(self._late_until, now + LATE)
            self._set_timeout(max(min(left, TICK), LEAST))
            with suppress(TimeoutError):
                size = self._sock.recv_into(buffer)
                if not size and self._expired:
                    raise self.place.timed_out(self._expired)
                self.received += size
                return size
            waited = True

    def send(self, data: bytes) -> None:
        """Send a request; the server may answer before it has taken all."""
        deadlines = self.place.deadlines
        self.place.phase = "write"
        self.received = 0
        self._late_until = math.inf
        self._set_timeout(seconds(deadlines.timeouts.write, deadlines))
        with suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(data)
        self.place.phase = "headers"

    def expire(self, now: float) -> bool:
        """Let the server go if nobody has read for too long; what has come can still be read."""
        deadline, phase = self.place.deadlines.next_deadline()
        if now < deadline:
            return False
        self._expired = phase
        with suppress(OSError):  # the server was first
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # TLS's own would end the decryption
        return True

    def hang_up(self) -> None:
        """Close the connection so that the server sees it at once, unless it is another process's too."""
        if self._pid == os.getpid():
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._sock.close()  # the server was first
        self._sock.close()

    def _set_timeout(self, seconds: float | None) -> None:
        if seconds != self._timeout:
            self._sock.settimeout(seconds)
            self._timeout = seconds
