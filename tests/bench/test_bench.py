"""The benchmark runs, and gives what its reports need; no time is judged here."""

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import report
from tests.bench.cases import CASES, GROWTH
from tests.bench.figures import draw
from tests.bench.goals import GOALS
from tests.bench.measure import Results, measure, quartiles
from tests.bench.subjects import SUBJECTS
from tests.bench.workloads import Workload, answer

WHO = ("ChatVllm", "socket")
WAYS = ("text", "tool", "reasoning", "call", "short", "history", "first", "construct")


@pytest.fixture(scope="module")
def found() -> Results:
    return measure(rounds=1, quick=True, only=WAYS, who=WHO)


def test_every_case_is_measured_and_every_answer_is_whole(found: Results) -> None:
    for case in CASES:
        if any(part in case.name for part in WAYS) and "ChatVllm" in case.subjects:
            (only,) = found["cases"][case.name]["ChatVllm"]
            assert only["cpu"] > 0
            assert only["units"] > 0
            assert not only.get("short", 0)
    assert found["cases"]["text-astream"]["ChatVllm"][0]["chunks"] >= 2
    assert set(found["resident"]) == set(WHO)


def test_a_run_can_be_reported_drawn_and_kept(found: Results, tmp_path: Path) -> None:
    lines = "\n".join(report(json.loads(json.dumps(found)), 1))
    assert "| ChatVllm |" in lines
    assert "| socket |" in lines
    assert all(file.stat().st_size > 1000 for file in draw(found, tmp_path))


def test_cases_subjects_and_goals_know_each_other() -> None:
    every = [*CASES, *(case for cases in GROWTH.values() for case in cases)]
    assert len({case.name for case in every}) == len(every)
    assert {name for case in every for name in case.subjects} == set(SUBJECTS)
    named = {case.name: case for case in CASES}
    for goal in GOALS:
        assert {goal.ours, goal.other} <= set(named[goal.case].subjects)


@pytest.mark.parametrize("kind", ["text", "reasoning", "tool"])
def test_an_answer_is_cut_as_it_was_asked_for(kind: str) -> None:
    whole = answer(Workload(kind, 20))  # type: ignore[arg-type]  # a kind of workload
    pieces = answer(Workload(kind, 20, 5, 1))  # type: ignore[arg-type]  # the same
    assert b"".join(pieces) == b"".join(whole)
    assert (len(whole), len(pieces)) == (1, 5)


def test_quartiles_of_one_value_are_that_value() -> None:
    assert quartiles([3.0]) == (3.0, 3.0, 3.0)
    assert quartiles([1.0, 2.0, 3.0]) == (1.5, 2.0, 2.5)
