"""Every fault, on every client, in every way: nothing lost, nothing invented, nothing leaked, nothing left over."""

import pytest

from tests.faults.clients import CLIENTS, WAYS
from tests.faults.fault import Fault
from tests.faults.judge import try_cell
from tests.faults.scenarios import FAULTS

CELLS = [
    pytest.param(fault, client, loop, mode, id=f"{fault.id}-{client}-{loop}-{mode}")
    for fault in FAULTS
    for client in CLIENTS
    for loop, mode in WAYS
    if fault.scripts(mode) is not None
]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("fault", "client", "loop", "mode"), CELLS)
def test_a_fault_is_met_rightly(fault: Fault, client: str, loop: str, mode: str) -> None:
    assert try_cell(fault, client, loop, mode).wrong == []


def test_a_mode_that_does_not_apply_says_why() -> None:
    for fault in FAULTS:
        assert fault.why_not or (fault.stream is not None and fault.unary is not None), fault.id
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
