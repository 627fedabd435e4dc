"""Private, loopback and link-local hosts, recognised by their name alone: a server reaches them, and strangers must not.

`http://127.1/`, `http://[::ffff:10.0.0.1]/`, `http://2130706433/` and `http://metadata/` are private. Nothing is resolved:
a public name may still lead to a private address, which only the server can see (`--allowed-media-domains`). URL parsers
disagree about some notations, and a URL that may name two hosts counts as private.
Source: the IPv4 parser of the WHATWG URL standard; RFC 6890; RFC 6761.
"""

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

__all__ = ["host_address", "is_private"]

INTERNAL = ("localhost", "local", "internal", "home.arpa", "lan", "intranet", "corp", "private")
"""Suffixes of host names within a private network."""

DOUBTFUL = re.compile(r"[\s%\x00-\x20\x7f]")
"""Characters in a host that URL parsers read in more than one way."""

DROPPED = re.compile(r"[\\\t\r\n]")
"""Characters that some URL parsers drop, or read as a slash."""

NAT64 = IPv6Network("64:ff9b::/96")
HEXADECIMAL = frozenset("0123456789abcdef")


def is_private(url: str) -> bool:
    """Check whether a URL's host is, or may be, private.

    Args:
        url: The URL; one that has no host, such as a `data:` URL, is not private.
    """
    if url[:5].lower() == "data:":
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return True
    if not host or DOUBTFUL.search(parts.netloc) or parts.netloc.count("@") > 1 or DROPPED.search(url):
        return True
    host = _normalized(host)
    address = _address(host)
    if address is not None:
        return not address.is_global or address.is_multicast
    return "." not in host or host.endswith(tuple(f".{end}" for end in INTERNAL))


def host_address(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host as an address in any notation, `127.1` and `::ffff:127.0.0.1` among them; None where it is a name."""
    return _address(_normalized(host))


def _normalized(host: str) -> str:
    return unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower().rstrip(".")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host as an address; None where it is a name."""
    try:
        found = ip_address(host)
    except ValueError:
        return _legacy_ipv4(host)
    if isinstance(found, IPv4Address):
        return found
    if found in NAT64:
        return IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


def _legacy_ipv4(host: str) -> IPv4Address | None:
    """Read an IPv4 address of one to four numbers, each decimal, octal or hexadecimal, the last filling what is left."""
    pieces = host.split(".")
    if not all(map(_is_number, pieces)):
        return None
    numbers = [_number(piece) for piece in pieces]
    *first, last = numbers
    if len(pieces) > 4 or any(n > 255 for n in first) or last >= 256 ** (4 - len(first)):  # noqa: PLR2004 - bytes
        return IPv4Address(0)  # not a valid host, and not a public one
    return IPv4Address(sum(n << (24 - 8 * at) for at, n in enumerate(first)) + last)


def _is_number(piece: str) -> bool:
    return HEXADECIMAL.issuperset(piece[2:]) if piece.startswith("0x") else piece.isascii() and piece.isdigit()


def _number(piece: str) -> int:
    try:
        return int(piece[2:] or "0", 16) if piece.startswith("0x") else int(piece, 8 if piece.startswith("0") else 10)
    except ValueError:  # an octal number with an 8, or one too long
        return 2**32
