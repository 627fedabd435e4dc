"""Who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import vllm_connect

LIBS = Path(__file__).parents[2] / "libs"
CORE = LIBS / "vllm-connect" / "vllm_connect"
ADAPTERS = {
    "langchain_vllm": LIBS / "langchain-vllm" / "langchain_vllm",
    "llama_index_vllm": LIBS / "llama-index-vllm" / "llama_index_vllm",
}

FRAMEWORKS = {
    "langchain",
    "langchain_core",
    "langgraph",
    "langsmith",
    "llama_index",
    "openai",
    "torch",
    "transformers",
    "vllm",
}
HTTP = {"aiohttp", "httpcore", "httpx", "httpx2", "requests", "urllib3"}
IMPURE = {
    "asyncio",
    "http",
    "os",
    "random",
    "secrets",
    "select",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "uuid",
}

TRANSPORTS = {
    *("testing/loopback.py", "wire/causes.py", "wire/clients.py", "wire/http.py"),
    *("wire/line.py", "wire/session.py", "wire/session_reply.py", "wire/sessions.py", "wire/sockets.py"),
}
"""The files that may know an HTTP library, or the standard library's."""

PURE = (
    *(
        "chat_exchange.py",
        "client_parsing.py",
        "completion.py",
        "constraints.py",
        "deltas.py",
        "exchange.py",
        "request.py",
    ),
    *("server.py", "strategy.py", "stream.py", "timers.py", "wire/chat.py", "wire/failures.py", "wire/framing.py"),
    *("wire/heads.py", "wire/sse.py", "wire/tool_calls.py"),
)
"""No I/O, no clock, no environment, no randomness."""


def imports(file: Path) -> set[str]:
    """List what a file imports, in functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found.add(str(node.module))
    return found


def roots(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(file)}


def files(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("file", files(CORE), ids=lambda file: str(file.relative_to(CORE)))
def test_the_core_knows_no_framework(file: Path) -> None:
    assert not roots(file) & FRAMEWORKS
    assert not roots(file) & set(ADAPTERS)


@pytest.mark.parametrize("file", files(CORE), ids=lambda file: str(file.relative_to(CORE)))
def test_only_transports_know_http(file: Path) -> None:
    if str(file.relative_to(CORE)) not in TRANSPORTS:
        assert not roots(file) & HTTP


@pytest.mark.parametrize("file", files(CORE / "parsing"), ids=lambda file: file.name)
def test_parsing_knows_deltas_and_no_wire(file: Path) -> None:
    ours = {name for name in imports(file) if name.startswith("vllm_connect")}
    allowed = ("vllm_connect.parsing", "vllm_connect.deltas", "vllm_connect.errors", "vllm_connect.completion")
    assert all(name.startswith(allowed) for name in ours)


def test_the_wire_knows_no_formats() -> None:
    for file in files(CORE / "wire"):
        ours = {name for name in imports(file) if name.startswith("vllm_connect.parsing")}
        assert ours <= {"vllm_connect.parsing.arguments"}


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_reads_nothing(name: str) -> None:
    assert not roots(CORE / name) & IMPURE


@pytest.mark.parametrize("file", files(CORE / "parsing"), ids=lambda file: file.name)
def test_parsing_is_pure(file: Path) -> None:
    if file.name != "ids.py":
        assert not roots(file) & IMPURE


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapters_use_public_names_only(adapter: str) -> None:
    others = set(ADAPTERS) - {adapter}
    for file in files(ADAPTERS[adapter]):
        assert not roots(file) & others
        assert not roots(file) & HTTP
        inner = {name for name in imports(file) if name.startswith("vllm_connect.")}
        assert not inner, f"{file} imports {inner}"


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ast.literal_eval(done.stdout))


def test_importing_does_nothing_heavy() -> None:
    every = "; ".join(f"from vllm_connect import {name}" for name in vllm_connect.__all__)
    assert not {"httpx", "aiohttp", "jsonschema"} & loaded_by(every)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_client_is_loaded_when_one_is_made(adapter: str) -> None:
    assert {"vllm_connect.client", "vllm_connect.parsing.scanner"}.isdisjoint(loaded_by(f"import {adapter}"))


def test_every_public_name_is_there() -> None:
    assert {name for name in vllm_connect.__all__ if getattr(vllm_connect, name) is None} == set()
    assert set(vllm_connect.__all__) <= set(dir(vllm_connect))
    with pytest.raises(AttributeError, match="no attribute 'VllmClint'"):
        _ = vllm_connect.VllmClint  # type: ignore[attr-defined] # a checker finds it too
