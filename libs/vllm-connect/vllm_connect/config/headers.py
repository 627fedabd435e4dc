"""Validation of HTTP headers: visible ASCII, and nothing that could end the header (RFC 9110, 5.5 and 5.6.2).

A key read from a file often ends in a newline, which is stripped; one in the middle is an error that does not show the key.
"""

from base64 import b64encode

from pydantic import SecretStr

from vllm_connect.errors import ConfigurationError

__all__ = ["basic", "header_name", "header_value"]

FRAMING_HEADERS = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that delimit a message; a wrong one mixes up responses."""

TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What the name of a header is made of (RFC 9110, 5.6.2)."""


def header_name(name: str) -> str:
    """Check the name of a header.

    Args:
        name: The name.

    Returns:
        The name.

    Raises:
        ConfigurationError: It is not a valid header name, or the transport sets that header.
    """
    if not name or not TOKEN_CHARACTERS.issuperset(name):
        raise ConfigurationError(f"header name {name[:40]!r} has characters that are not allowed in a header name")
    if name.lower() in FRAMING_HEADERS:
        raise ConfigurationError(f"header {name!r} is set by the transport: remove it")
    return name


def header_value(text: str, what: str) -> str:
    """Check a header's value and strip it.

    Args:
        text: The value.
        what: What it is, for the error message.

    Returns:
        The stripped value.

    Raises:
        ConfigurationError: It has control or non-ASCII characters; the message does not show it.
    """
    text = text.strip()
    if text.isascii() and text.isprintable():
        return text
    for position, character in enumerate(text):
        if not " " <= character <= "~":
            kind = "a control character" if ord(character) < 0x20 or character == "\x7f" else "a non-ASCII character"  # noqa: PLR2004 - the last of the C0 controls
            raise ConfigurationError(
                f"{what} has {kind} at position {position} (the value is not shown): check that the right variable or file was used"
            )
    return text


def basic(auth: SecretStr) -> str:
    """Build the Authorization header of `user:password` (RFC 7617)."""
    return f"Basic {b64encode(auth.get_secret_value().encode()).decode()}"
