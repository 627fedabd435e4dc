"""Our parsers beside those of the vLLM that is installed for the live servers."""

import pytest

from tests.live.differential.__main__ import deliberate, shown, unexplained
from tests.live.differential.comparison import comparable, comparable_reasoning, compare_calls, compare_reasoning
from tests.live.differential.outputs import KINDS

pytestmark = pytest.mark.live


def test_every_difference_is_deliberate(flagged_server: str) -> None:
    assert flagged_server  # its environment is where vLLM is installed
    cases = compare_calls(comparable(), 2 * len(KINDS))
    assert len(cases) == 2 * len(KINDS) * len(comparable())
    wrong = unexplained(cases, deliberate())
    assert not wrong, "\n".join(map(shown, wrong))
    assert sum(case.verdict == "same" for case in cases) > len(cases) // 2


def test_every_other_split_of_reasoning_is_deliberate(flagged_server: str) -> None:
    assert flagged_server
    cases = compare_reasoning(comparable_reasoning())
    wrong = unexplained(cases, deliberate())
    assert not wrong, "\n".join(map(shown, wrong))
    assert sum(case.verdict == "same" for case in cases) > len(cases) // 2
