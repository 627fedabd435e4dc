"""What the repository must and must not hold."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 10 * 1024 * 1024

MACHINE = ["/" + "work/", "/" + "tmp/bash", "/" + "root/", "/" + "opt/pypi", "file:" + "///"]
REGISTRIES = ["pypi." + "org", "pythonhosted." + "org", "registry." + "npmjs"]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - git
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    found = {}
    for file in tracked():
        if file.suffix not in {".safetensors", ".png"}:
            found[file] = file.read_text(errors="replace")
    assert len(found) > 50
    return found


@pytest.mark.parametrize("word", [*MACHINE, *REGISTRIES])
def test_no_machine_and_no_registry_is_named(texts: dict[Path, str], word: str) -> None:
    assert [str(file.relative_to(ROOT)) for file, text in texts.items() if word in text] == []


def test_no_lock_file_and_no_large_file() -> None:
    assert [file for file in tracked() if file.name == "uv.lock" or file.stat().st_size > LARGEST] == []


@pytest.mark.parametrize("package", ["vllm-connect", "langchain-vllm", "llama-index-vllm"])
def test_versions_agree(package: str) -> None:
    module = __import__(package.replace("-", "_"))
    declared = (ROOT / "libs" / package / "pyproject.toml").read_text()
    assert f'\nversion = "{module.__version__}"\n' in declared
    assert module.__version__ == version(package)
    assert f"## {module.__version__}" in (ROOT / "CHANGELOG.md").read_text()
