"""What a server reports about itself: version, models, context windows, request fields.

`{"version": "0.32.0"}` and `{"data": [{"id": "demo", "root": "org/model", "max_model_len": 4096}]}`. Every probe may fail,
for example behind a gateway, and an unknown version counts as the newest. Source: /version, /v1/models and /openapi.json of
vLLM 0.8.5 to 0.33.0.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from vllm_connect.config.validation import nearest
from vllm_connect.protocol.http_request import HttpRequest
from vllm_connect.request.server_versions import Feature, Version, has_feature

__all__ = [
    "MODELS_PROBE",
    "PROBES",
    "SCHEMA_PROBE",
    "ModelCard",
    "ServerInfo",
    "read_fields",
    "read_models",
    "read_version",
]

MODELS_PROBE = HttpRequest("GET", "/v1/models")
"""The request for the served models."""

PROBES = (HttpRequest("GET", "/version"), MODELS_PROBE)
"""The requests that ask a server what it is; `ServerInfo.read` expects the answers in this order."""

SCHEMA_PROBE = HttpRequest("GET", "/openapi.json")
"""The request for the fields that it supports; its answer is large."""

VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")


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
    """What a server reports about itself.

    Attributes:
        version: Its version; None where it is not reported or not a version number.
        version_text: The version as reported.
        models: The models that it serves.
        fields: The fields of a chat request that it supports; None where they are not known.
    """

    version: Version | None = None
    version_text: str | None = None
    models: tuple[ModelCard, ...] = ()
    fields: frozenset[str] | None = None

    @classmethod
    def read(cls, answers: Sequence[bytes | None]) -> "ServerInfo":
        """Parse the answers of a server.

        Args:
            answers: The bodies of the answers to `PROBES`, and to `SCHEMA_PROBE` where that was sent too; None
                where there was no answer.

        Returns:
            What they report; an answer that is missing or not understood is ignored.
        """
        version, models, *schema = answers
        text, numbers = read_version(version)
        fields = read_fields(schema[0]) if schema else None
        return cls(version=numbers, version_text=text, models=read_models(models), fields=fields)

    def has(self, feature: Feature) -> bool:
        """Check whether the version has a feature; a version that is not known counts as the newest."""
        return has_feature(self.version, feature)

    def unknown_fields(self, names: Iterable[str]) -> dict[str, str | None]:
        """Find fields that the server would ignore silently.

        Args:
            names: Names of fields of a request.

        Returns:
            The unknown names, each with the one that was probably meant; empty where the fields are not known.
        """
        if self.fields is None:
            return {}
        return {name: nearest(name, self.fields) for name in names if name not in self.fields}

    def model(self, name: str | None = None) -> ModelCard | None:
        """Find a model; None is the first one."""
        for card in self.models:
            if name in (None, card.id):
                return card
        return None

    def context_window(self, name: str | None = None) -> int | None:
        """Return a model's context window in tokens; an adapter has its parent's."""
        card = self.model(name)
        if card is None:
            return None
        if card.max_model_len is None and card.parent is not None:
            base = self.model(card.parent) or self.model()
            return base.max_model_len if base else None
        return card.max_model_len

    def root(self, name: str | None = None) -> str | None:
        """Return what is really served under a name; None where it is not known."""
        card = self.model(name)
        return None if card is None else card.root or card.id

    def advice(self, *, tool_parser: str | None = None, reasoning_parser: str | None = None) -> tuple[str, ...]:
        """List the server flags that would replace parsing on the client.

        Args:
            tool_parser: The parser that the client used because the server has none.
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


def read_version(body: bytes | None) -> tuple[str | None, Version | None]:
    """Read the answer of /version.

    Args:
        body: The body, None where there was none.

    Returns:
        The version as reported and as numbers, each None where it is not known.
    """
    text = _object(body).get("version")
    if not isinstance(text, str):
        return None, None
    found = VERSION.match(text)
    return text, (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def read_fields(body: bytes | None) -> frozenset[str] | None:
    """Read the fields of a chat request from the answer of /openapi.json; None where there was none."""
    value: Any = _object(body)
    for name in ("components", "schemas", "ChatCompletionRequest", "properties"):
        value = value.get(name)
        if not isinstance(value, dict):
            return None
    return frozenset(value)


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
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
