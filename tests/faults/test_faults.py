"""Every fault, on every client, in every way: nothing lost, nothing invented, nothing leaked, nothing left over."""

import re
from pathlib import Path

import pytest

from tests.faults.clients import CLIENTS
from tests.faults.elsewhere import ELSEWHERE, Tried
from tests.faults.fault import Fault
from tests.faults.judge import LOOPS, try_cell
from tests.faults.scenarios import FAULTS

CELLS = [
    pytest.param(fault, client, loop, mode, id=f"{fault.id}-{client}-{loop}-{mode}")
    for fault in FAULTS
    for client in CLIENTS
    for loop in LOOPS
    for mode in fault.modes(client)
]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("fault", "client", "loop", "mode"), CELLS)
def test_a_fault_is_handled(fault: Fault, client: str, loop: str, mode: str) -> None:
    assert try_cell(fault, client, loop, mode, slack=60).wrong == []


def test_a_mode_that_does_not_apply_says_why() -> None:
    for fault in FAULTS:
        assert fault.why_not or (fault.stream is not None and fault.unary is not None), fault.id
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("other", ELSEWHERE, ids=[other.id for other in ELSEWHERE])
def test_what_is_tried_elsewhere_is_there(other: Tried) -> None:
    file, _, function = other.where.partition("::")
    assert other.note or other.where
    assert not other.where or f"def {function}(" in Path(file).read_text(encoding="utf-8")


def test_every_fault_has_a_row() -> None:
    ids = [*(fault.id for fault in FAULTS), *(other.id for other in ELSEWHERE), "F119"]
    numbers = {int(re.sub(r"\D.*", "", each[1:])) for each in ids}
    assert numbers == set(range(1, max(numbers) + 1))
