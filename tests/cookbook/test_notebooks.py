"""The notebooks run, and print what they hold; `--record` runs them on a real server and keeps what they print."""

import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from vllm_connect.testing import LoopbackServer

COOKBOOK = Path(__file__).parents[2] / "cookbook"
MACHINE = re.compile(r"/(?:home|root|work|tmp|Users|usr)/|127\.0\.0\.1")


def load(file: Path) -> Any:
    return nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types


def outputs(notebook: Any) -> list[tuple[str, list[Any]]]:
    """List what each cell printed and gave; a kernel may print in more pieces one time than another."""
    cells = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [("".join(out.get("text", "") for out in outs), [o["data"] for o in outs if "data" in o]) for outs in cells]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client.*", "ignore::DeprecationWarning:zmq.*")
@pytest.mark.parametrize("name", ["langchain", "llamaindex"])
def test_notebook(
    name: str, recorded_server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    file = COOKBOOK / f"{name}.ipynb"
    stored = load(file)
    notebook = load(file)
    monkeypatch.setenv("VLLM_BASE_URL", recorded_server.url)
    monkeypatch.setenv("VLLM_MODEL", "demo")
    client = nbclient.NotebookClient(notebook, timeout=60, record_timing=False)
    client.execute()
    if pytestconfig.getoption("--record"):
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, file)  # type: ignore[no-untyped-call]  # the same
        stored = load(file)
    assert outputs(notebook) == outputs(stored)
    assert sum(1 for printed, given in outputs(stored) if printed or given) > 5
    assert MACHINE.search(str(outputs(stored))) is None
    assert not [o for cell in notebook["cells"] for o in cell.get("outputs", []) if o.get("name") == "stderr"]
