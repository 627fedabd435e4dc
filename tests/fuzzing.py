"""How many examples a fuzzed test takes: few in every run, many with `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

__all__ = ["examples"]

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))


def examples(count: int) -> settings:
    """Make the settings of a fuzzed test.

    Args:
        count: Examples in an ordinary run; `FUZZ_FACTOR` in the environment multiplies them.
    """
    return settings(max_examples=count * FACTOR, deadline=None, suppress_health_check=[HealthCheck.too_slow])
