"""What is known of the server: version, models, context windows, and what follows from them.

`{"version": "0.32.0"}` and `{"data": [{"id": "demo", "root": "org/model", "max_model_len": 4096}]}`. Every probe may fail,
behind a gateway for one, and what is not known counts as the newest. Source: /version and /v1/models of vLLM 0.8.5 to
0.33.0.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["ModelCard", "ServerInfo", "read_models", "read_version"]


class ModelCard(Struct, frozen=True):
    """One served model.

    Attributes:
        id: The name to ask for.
        root: What is really served: a path or a repository's name.
        parent: The base model of a LoRA adapter.
        max_model_len: The context window in tokens; unknown for adapters.
    """

    id: str
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class ServerInfo(Struct, frozen=True):
    """What a server says of itself.

    Attributes:
        version: Its version, None where it is not told or not a version.
        version_text: The version as told.
        models: The models it serves.
    """

    version: tuple[int, int, int] | None = None
    version_text: str | None = None
    models: tuple[ModelCard, ...] = ()

    def model(self, name: str | None = None) -> ModelCard | None:
        """Find a model; None is the first one."""
        for card in self.models:
            if name in (None, card.id):
                return card
        return None

    def context_window(self, name: str | None = None) -> int | None:
        """Tell a model's context window in tokens; an adapter has its parent's."""
        card = self.model(name)
        if card is None:
            return None
        if card.max_model_len is None and card.parent is not None:
            base = self.model(card.parent) or self.model()
            return base.max_model_len if base else None
        return card.max_model_len

    def root(self, name: str | None = None) -> str | None:
        """Tell what is really served under a name; None where it is not known."""
        card = self.model(name)
        return None if card is None else card.root or card.id

    def advice(self, *, tool_parser: str | None = None, reasoning_parser: str | None = None) -> tuple[str, ...]:
        """Say which flags would make the server do what is done here.

        Args:
            tool_parser: The parser that was used here because the server has none.
            reasoning_parser: The same for reasoning.

        Returns:
            One line for each flag.
        """
        lines = []
        if tool_parser:
            lines.append(
                f"add --enable-auto-tool-choice --tool-call-parser {tool_parser}: the server then parses calls"
            )
        if reasoning_parser:
            lines.append(f"add --reasoning-parser {reasoning_parser}: the server then splits reasoning from the answer")
        return tuple(lines)


def read_version(body: bytes | None) -> tuple[str | None, tuple[int, int, int] | None]:
    """Read the answer of /version.

    Args:
        body: The body, None where there was none.

    Returns:
        The version as told and as numbers, each None where it is not known.
    """
    told = _object(body).get("version")
    if not isinstance(told, str):
        return None, None
    parts = told.removeprefix("v").split("+")[0].split(".")
    digits = ["".join(c for c in part if c.isdigit()) if part[:1].isdigit() else "" for part in parts[:3]]
    if not all(digits[:2]) or len(digits) < 2:  # noqa: PLR2004 - major and minor
        return told, None
    major, minor, patch = (*digits, "0")[:3]
    return told, (int(major), int(minor), int(patch or 0))


def read_models(body: bytes | None) -> tuple[ModelCard, ...]:
    """Read the answer of /v1/models; empty where there was none."""
    cards = _object(body).get("data")
    if not isinstance(cards, Sequence):
        return ()
    return tuple(_card(card) for card in cards if isinstance(card, dict) and isinstance(card.get("id"), str))


def _card(card: dict[str, Any]) -> ModelCard:
    length, root, parent = card.get("max_model_len"), card.get("root"), card.get("parent")
    return ModelCard(
        id=card["id"],
        root=root if isinstance(root, str) else None,
        parent=parent if isinstance(parent, str) else None,
        max_model_len=length if isinstance(length, int) else None,
    )


def _object(body: bytes | None) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body or b"null")
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
