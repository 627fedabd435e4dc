"""What a conversation may carry that others have written: URLs of media, and text with control tokens in it.

`{"type": "image_url", "image_url": {"url": "file:/etc/passwd"}}` is refused, since the server would read its own disk.
Media are never fetched here: `http:`, `https:` and `data:` go to the server as they are. A model's control tokens, such as
`<|im_end|>`, are part of any text and pass; where users are not trusted to open a turn of their own, they can be refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vllm_connect.errors import ConfigurationError

__all__ = ["check_media", "refuse_control_tokens"]

SCHEMES = ("http://", "https://", "data:")

LONGEST_SCHEME = 8

UNTRUSTED_ROLES = frozenset({"user", "tool", "function"})
"""Roles whose text comes from outside; a developer writes the others, or the model does."""

CONTROL_TOKEN = re.compile(
    r"<[|\uff5c][^<>|\uff5c\s]{1,64}[|\uff5c]>|</?s>|<bos>|<eos>|<(?:start|end)_of_turn>|\[/?INST\]|\[/?SYSTEM_PROMPT\]"
)
"""How the families spell what opens and closes a turn; bounded, so that it is linear on any text."""


def check_media(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse media that a server would read from anywhere but the web or the request.

    Args:
        messages: Wire messages.

    Raises:
        ConfigurationError: A part's URL has another scheme; the message shows the scheme alone.
    """
    for at, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, list):
            for url in _urls(content):
                if not url[:LONGEST_SCHEME].lower().startswith(SCHEMES):
                    raise ConfigurationError(
                        f"messages[{at}] has media at {_scheme(url)}, and only http://, https:// and data: URLs are sent: "
                        "a server would read a file from its own disk; put the bytes into a data: URL"
                    )


def refuse_control_tokens(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse control tokens in what users and tools say.

    Args:
        messages: Wire messages.

    Raises:
        ConfigurationError: There is one; the message shows where, and nothing of the text.
    """
    for at, message in enumerate(messages):
        if message.get("role") in UNTRUSTED_ROLES and any(map(CONTROL_TOKEN.search, _texts(message.get("content")))):
            raise ConfigurationError(
                f"messages[{at}] holds a model's control token, such as <|im_end|>, which could open a turn of its own: "
                "take it out, or set refuse_control_tokens=False"
            )


def _urls(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(kind, str) and kind.endswith("_url"):
            inner = part.get(kind)
            url = inner.get("url") if isinstance(inner, Mapping) else inner
            if isinstance(url, str):
                yield url


def _scheme(url: str) -> str:
    """Name a URL's scheme, if it is one, and nothing else of it."""
    scheme, colon, _ = url[:20].partition(":")
    return f"a {scheme}: URL" if colon and scheme.isascii() and scheme.isalnum() else "something that is no URL"


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                yield text
