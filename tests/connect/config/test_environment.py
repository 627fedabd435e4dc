"""Numbers from environment variables."""

import pytest
from vllm_connect.config.environment import read_count, read_number


@pytest.mark.parametrize(("text", "number"), [("0", 0.0), ("1e-1", 0.1), ("60", 60.0)])
def test_a_number_is_read(text: str, number: float) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize("text", ["-1", "inf", "1e400", "nan", "x", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        read_number(text)


@pytest.mark.parametrize("text", ["-1", "1.0", "1e3", "\u0663", ""])
def test_a_count_is_digits(text: str) -> None:
    assert read_count("12") == 12
    with pytest.raises(ValueError, match="whole number"):
        read_count(text)
