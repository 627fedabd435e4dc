"""Checks of what third parties may have put into a conversation: media URLs, and text with control tokens.

`{"type": "image_url", "image_url": {"url": "file:/etc/passwd"}}` is refused, since the server would read its own disk, and
so is `http://10.0.0.1/`, which it would reach from within its network, unless that is allowed. Media are never fetched and
names never resolved here: any other `http:`, `https:` and `data:` goes to the server as it is. A model's control tokens,
such as `<|im_end|>`, are passed on as text by default; where users must not be able to open a turn, they can be refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vllm_connect.conversation.private_hosts import is_private
from vllm_connect.errors import ConfigurationError

__all__ = ["check_media", "refuse_control_tokens"]

SCHEMES = ("http://", "https://", "data:")

URLS = ("image_url", "audio_url", "video_url")
"""Keys in which a server looks for a URL, whatever the type of a part."""

LONGEST_SCHEME = 8

UNTRUSTED_ROLES = frozenset({"user", "tool", "function"})
"""Roles whose text comes from outside; the others are written by a developer or by the model."""

CONTROL_TOKEN = re.compile(
    r"<[|\uff5c][^<>|\uff5c\s]{1,64}[|\uff5c]>|</?s>|<bos>|<eos>|<(?:start|end)_of_turn>|\[/?INST\]|\[/?SYSTEM_PROMPT\]"
)
"""How model families write the start and the end of a turn; bounded, so that matching is linear."""


def check_media(messages: Sequence[Mapping[str, Any]], *, private_allowed: bool) -> None:
    """Check that a server reads media from the web or the request only.

    Args:
        messages: Wire messages.
        private_allowed: Accept URLs of private hosts.

    Raises:
        ConfigurationError: A part's URL has another scheme or a private host; the message shows its place and
            nothing of it but the scheme.
    """
    for at, message in enumerate(messages):
        content = message.get("content")
        if not isinstance(content, list | tuple):
            continue
        for index, kind, url in _urls(content):
            place = f"messages[{at}] part {index} ({kind})"
            if not url[:LONGEST_SCHEME].lower().startswith(SCHEMES):
                raise ConfigurationError(
                    f"{place} has {_scheme(url)}, and only http://, https:// and data: URLs are sent: "
                    "a server would read a file from its own disk; put the bytes into a data: URL"
                )
            if not private_allowed and is_private(url):
                raise ConfigurationError(
                    f"{place} is at a private host, which the server would reach from within its network: "
                    "put the bytes into a data: URL, or set allow_private_media=True"
                )


def refuse_control_tokens(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that the text of users and tools has no control tokens.

    Args:
        messages: Wire messages.

    Raises:
        ConfigurationError: It has one; the message shows where, and nothing of the text.
    """
    for at, message in enumerate(messages):
        if message.get("role") in UNTRUSTED_ROLES and any(map(CONTROL_TOKEN.search, _texts(message.get("content")))):
            raise ConfigurationError(
                f"messages[{at}] holds a model's control token, such as <|im_end|>, which could open another turn: "
                "remove it, or set refuse_control_tokens=False"
            )


def _urls(parts: Sequence[Any]) -> Iterator[tuple[int, str, str]]:
    """Yield the URLs in a message's parts, each with the part's index and the key that holds it."""
    for index, part in enumerate(parts):
        if isinstance(part, Mapping):
            for key in URLS:
                inner = part.get(key)
                url = inner.get("url") if isinstance(inner, Mapping) else inner
                if isinstance(url, str):
                    yield index, key, url


def _scheme(url: str) -> str:
    """Describe a URL by its scheme and nothing else."""
    scheme, colon, _ = url[:20].partition(":")
    return f"a {scheme}: URL" if colon and scheme.isascii() and scheme.isalnum() else "something that is not a URL"


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                yield text
