"""What a server tells of itself is read, and what it does not tell costs nothing."""

import copy
import json
import pickle

import pytest
from vllm_connect.protocol.server_info import (
    PROBES,
    SCHEMA_PROBE,
    ModelCard,
    ServerInfo,
    read_fields,
    read_version,
)
from vllm_connect.request.server_versions import Feature

MODELS = {
    "object": "list",
    "data": [
        {"id": "base", "object": "model", "root": "org/Base-8B", "parent": None, "max_model_len": 32768},
        {"id": "sql", "root": "/adapters/sql", "parent": "base", "max_model_len": None},
        {"id": "orphan", "root": None, "parent": "gone", "max_model_len": None},
    ],
}
SCHEMA: dict[str, object] = {
    "components": {"schemas": {"ChatCompletionRequest": {"properties": {"top_k": {}, "thinking_token_budget": {}}}}}
}


def read(*answers: object) -> ServerInfo:
    return ServerInfo.read([None if each is None else json.dumps(each).encode() for each in answers])


def test_probes() -> None:
    assert [probe.path for probe in PROBES] == ["/version", "/v1/models"]
    assert SCHEMA_PROBE.path == "/openapi.json"


def test_all_told() -> None:
    info = read({"version": "0.32.0"}, MODELS, SCHEMA)
    assert (info.version, info.version_text) == ((0, 32, 0), "0.32.0")
    assert info.model() == ModelCard("base", "org/Base-8B", None, 32768)
    assert info.model("sql") == ModelCard("sql", "/adapters/sql", "base", None)
    assert info.model("else") is None
    assert [info.context_window(name) for name in (None, "base", "sql", "orphan", "else")] == [32768] * 4 + [None]
    assert [info.root(name) for name in (None, "sql", "orphan", "else")] == [
        "org/Base-8B",
        "/adapters/sql",
        "orphan",
        None,
    ]


@pytest.mark.parametrize(
    "body",
    [None, b"", b"null", b"[]", b'"x"', b"{}", b"<html>", b"\xff", b'{"version": 1, "data": 2}', b"[" * 100_000],
)
def test_nothing_told(body: bytes | None) -> None:
    assert ServerInfo.read([body, body]) == ServerInfo()
    assert ServerInfo.read([body, body, body]) == ServerInfo()


def test_cards_that_are_none() -> None:
    odd = {"data": [1, None, {}, {"id": 5}, {"id": "a", "root": 5, "parent": [], "max_model_len": "8"}]}
    assert read(None, odd).models == (ModelCard("a"),)


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("0.32.0", (0, 32, 0)),
        ("v0.9.1", (0, 9, 1)),
        ("0.10", (0, 10, 0)),
        ("0.11.1.dev3+gabc123", (0, 11, 1)),
        ("0.32.0rc1", (0, 32, 0)),
        ("0.10.2+cu128", (0, 10, 2)),
        ("1.0.0-ascend", (1, 0, 0)),
        ("dev", None),
        ("", None),
        ("main-abc", None),
        ("9" * 5000 + ".1", None),
    ],
)
def test_versions(told: str, version: tuple[int, int, int] | None) -> None:
    assert read_version(json.dumps({"version": told}).encode()) == (told, version)


@pytest.mark.parametrize(
    ("feature", "since"),
    [
        ("tools_in_tokenize", "0.10.1"),
        ("return_token_ids", "0.10.2"),
        ("structured_outputs", "0.11.0"),
        ("reasoning_in_history", "0.12.0"),
        ("engine_parsers", "0.24.0"),
        ("scale_out", "0.30.0"),
    ],
)
def test_features(feature: Feature, since: str) -> None:
    assert read({"version": since}, None).has(feature)
    assert read({"version": "0.33.0"}, None).has(feature)
    assert read(None, None).has(feature)
    assert read({"version": "fork"}, None).has(feature)
    assert not read({"version": "0.10.0"}, None).has(feature)


def test_fields() -> None:
    info = read(None, None, SCHEMA)
    assert info.fields == frozenset({"top_k", "thinking_token_budget"})
    assert info.unknown_fields(["top_k", "thinking_budget", "zzz"]) == {
        "thinking_budget": "thinking_token_budget",
        "zzz": None,
    }
    assert read(None, None).unknown_fields(["zzz"]) == {}
    assert read_fields(b'{"components": {"schemas": []}}') is None


def test_advice() -> None:
    lines = ServerInfo().advice(tool_parser="hermes", reasoning_parser="qwen3")
    assert "--enable-auto-tool-choice --tool-call-parser hermes" in lines[0]
    assert "--reasoning-parser qwen3" in lines[1]
    assert ServerInfo().advice() == ()


def test_value() -> None:
    info = read({"version": "0.32.0"}, MODELS, SCHEMA)
    assert pickle.loads(pickle.dumps(info)) == info == copy.deepcopy(info)  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError):
        info.version = None  # type: ignore[misc] # frozen
