"""Name lookups that can be abandoned, and the order in which addresses are tried.

`getaddrinfo` blocks and cannot be interrupted, so that each lookup has a thread of its own, which nothing waits for longer
than its call may: an event loop's own executor may be full. Calls that ask for the same name at the same time share one.
Source: RFC 8305.
"""

import os
import socket
import threading
from concurrent.futures import Future
from itertools import zip_longest
from typing import Any, TypeAlias

__all__ = ["ATTEMPT_DELAY", "Address", "look_up"]

ATTEMPT_DELAY = 0.25
"""Seconds after which the next address is tried while the one before it has not answered."""

Address: TypeAlias = tuple[Any, Any, int, str, Any]
"""A family, a kind, a protocol, a canonical name and an address, as `getaddrinfo` has them."""

_lookups: dict[tuple[int, str, int], "Future[list[Address]]"] = {}
"""The lookups that are running, by process."""


def look_up(host: str, port: int) -> "Future[list[Address]]":
    """Return the addresses of a host, in the order in which they are to be tried.

    Args:
        host: A name, or an address, which is not looked up.
        port: The port.

    Returns:
        A future that holds the addresses, or `socket.gaierror`.
    """
    found: Future[list[Address]] = Future()
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except (OSError, UnicodeError):  # a name
        key = (os.getpid(), host, port)
        running = _lookups.setdefault(key, found)
        if running is not found:
            return running
        try:
            threading.Thread(target=_resolve, args=(key, found), name=f"look up {host}", daemon=True).start()
        except RuntimeError:  # there are too many threads
            del _lookups[key]
            raise
    return found


def _resolve(key: tuple[int, str, int], found: "Future[list[Address]]") -> None:
    problem: OSError | None = None
    addresses: list[Address] = []
    try:
        addresses = _interleaved(socket.getaddrinfo(key[1], key[2], type=socket.SOCK_STREAM))
    except OSError as error:
        problem = error
    except UnicodeError:
        problem = socket.gaierror(socket.EAI_NONAME, "the name is not a valid host name")
    del _lookups[key]
    if problem is None:
        found.set_result(addresses)
    else:
        found.set_exception(problem)


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Alternate between the families, beginning with the system's first choice."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for pair in zip_longest(first, others) for address in pair if address is not None]
