"""Who may import whom."""

import ast
import re
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
HTTP = {"aiohttp", "httpcore", "httptools", "httpx", "httpx2", "requests", "urllib3"}
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

LAYERS = (
    "response",
    "errors",
    "schema",
    "config",
    "conversation",
    "request",
    "parsing",
    "profiles",
    "protocol",
    "transport",
    "chat",
    "client",
    "adapters",
    "testing",
)
"""The layers of the core, each of which imports only from those before it and from itself."""

PURE = ("response", "errors", "schema", "conversation", "request", "parsing", "profiles", "protocol")
"""Rooms that do no I/O, and read no clock, no environment and no randomness."""

MAX_FILES = 15
"""Files of a layer, formats apart."""
MAX_TOP_LEVEL = 16
"""Entries of the core's own folder."""


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


def layer_of(file: Path) -> str:
    return file.relative_to(CORE).parts[0].removesuffix(".py")


def layers_of_imports(file: Path) -> set[str]:
    ours = {name for name in imports(file) if name.startswith("vllm_connect.")}
    return {name.split(".")[1] for name in ours}


def test_every_layer_is_listed() -> None:
    entries = {path.name.removesuffix(".py") for path in CORE.iterdir() if path.name != "__pycache__"}
    assert entries == {*LAYERS, "__init__", "py.typed"}
    assert len(entries) <= MAX_TOP_LEVEL


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_small(layer: str) -> None:
    for folder in [path for path in (CORE / layer, *(CORE / layer).rglob("*")) if path.is_dir()]:
        if folder.name not in {"formats", "__pycache__"}:
            assert len(list(folder.glob("*.py"))) <= MAX_FILES + 1, folder


@pytest.mark.parametrize("file", files(CORE), ids=lambda file: str(file.relative_to(CORE)))
def test_no_import_goes_up(file: Path) -> None:
    if file.parent == CORE and file.name == "__init__.py":
        return
    below = LAYERS[: LAYERS.index(layer_of(file)) + 1]
    assert layers_of_imports(file) <= set(below)


@pytest.mark.parametrize("file", files(CORE), ids=lambda file: str(file.relative_to(CORE)))
def test_only_the_transport_knows_http_libraries(file: Path) -> None:
    if layer_of(file) not in {"transport", "testing"}:
        assert not roots(file) & HTTP


@pytest.mark.parametrize("file", [file for file in files(CORE) if layer_of(file) in PURE], ids=lambda file: file.name)
def test_a_pure_layer_does_no_io(file: Path) -> None:
    impure = roots(file) & IMPURE
    assert not impure or (file.name == "ids.py" and impure == {"uuid"})


def test_parsing_knows_deltas_and_no_protocol() -> None:
    for file in files(CORE / "parsing"):
        assert layers_of_imports(file) <= {"parsing", "response", "errors", "schema"}


def test_protocol_knows_shapes_and_no_formats() -> None:
    for file in files(CORE / "protocol"):
        assert "parsing" not in layers_of_imports(file)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapters_import_the_core_and_its_adapter_kit_only(adapter: str) -> None:
    others = set(ADAPTERS) - {adapter}
    for file in files(ADAPTERS[adapter]):
        assert not roots(file) & others
        assert not roots(file) & HTTP
        inner = {name for name in imports(file) if name.startswith("vllm_connect.")}
        assert inner <= {"vllm_connect.adapters"}, f"{file} imports {inner}"


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ast.literal_eval(done.stdout))


def test_importing_does_nothing_heavy() -> None:
    every = "; ".join(f"from vllm_connect import {name}" for name in (*vllm_connect.__all__, "adapters"))
    assert not {"httpx", "httptools", "jsonschema"} & loaded_by(every)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_client_is_loaded_when_one_is_made(adapter: str) -> None:
    assert {"vllm_connect.client", "vllm_connect.parsing.scanner"}.isdisjoint(loaded_by(f"import {adapter}"))


def test_a_checker_sees_the_public_names() -> None:
    imported = re.findall(r"\b(\w+) as \1\b", (CORE / "__init__.py").read_text())
    assert sorted(imported) == sorted(vllm_connect.__all__)


def test_every_public_name_is_there() -> None:
    assert {name for name in vllm_connect.__all__ if getattr(vllm_connect, name) is None} == set()
    assert set(vllm_connect.__all__) <= set(dir(vllm_connect))
    with pytest.raises(AttributeError, match="no attribute 'VllmClint'"):
        _ = vllm_connect.VllmClint  # type: ignore[attr-defined] # a checker finds it too
