"""Each block of the page on HTTP runs as it stands, against a server of ours in place of the reader's."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.echo import Echo, echoing

PAGE = Path(__file__).parents[2] / "cookbook" / "http.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
TOOLS = ("vcr", "respx", "pytest_httpx", "MockTransport")


@pytest.fixture
def echo() -> Iterator[Echo]:
    with echoing() as server:
        yield server


def test_every_tool_has_a_block() -> None:
    assert [tool for tool in TOOLS if not any(tool in block for block in BLOCKS)] == []


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n")[0] for block in BLOCKS])
def test_a_block_runs(
    block: str, echo: Echo, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block.replace("http://localhost:8000", echo.url), names)  # noqa: S102 - our own page
    for name, test in list(names.items()):
        if name.startswith("test_"):
            test(request.getfixturevalue("httpx_mock"))
    if "vcr" in block:
        assert "chat/completions" in (tmp_path / "hello.yaml").read_text()
        assert echo.asked == 1
        exec(block.replace("http://localhost:8000", echo.url), names)  # noqa: S102 - the same, replayed
        assert echo.asked == 1
    else:
        assert echo.asked == 0
