"""Our parsers beside those of the vLLM that is installed for the live servers."""

import json

import pytest

from tests.live.differential.__main__ import HERE, comparable, compare, explanation, shown, verdict

pytestmark = pytest.mark.live


def test_every_difference_is_deliberate(flagged_server: str) -> None:
    assert flagged_server  # its environment is where vLLM is installed
    differences = json.loads((HERE / "differences.json").read_text())
    cases = compare(comparable(), 30)
    assert len(cases) == 30 * len(comparable())
    unexplained = [case for case in cases if verdict(case) != "same" and explanation(case, differences) is None]
    assert not unexplained, "\n".join(map(shown, unexplained))
    assert sum(verdict(case) == "same" for case in cases) > len(cases) // 2
