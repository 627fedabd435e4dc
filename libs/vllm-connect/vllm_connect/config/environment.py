"""Settings from environment variables: `VLLM_TIMEOUT=60`.

A variable is read when it is needed. A malformed one is an error that names the variable and not its text.
"""

import math
import os
from collections.abc import Callable
from typing import TypeVar

from vllm_connect.errors import ConfigurationError

__all__ = ["environment", "read_count", "read_number"]

T = TypeVar("T")


def environment(variable: str, read: Callable[[str], T], default: T) -> T:
    """Read a setting from the environment.

    Args:
        variable: The variable's name; an empty variable counts as unset.
        read: Converts its text, stripped, into the value; raises ValueError, whose message says what it expects.
        default: The value where it is unset.

    Returns:
        The value.

    Raises:
        ConfigurationError: The text is malformed; the message names the variable, not the text.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        return read(text)
    except ValueError as error:
        problem = str(error)
    raise ConfigurationError(f"the environment variable {variable} is malformed: {problem}")


def read_number(text: str) -> float:
    """Read a finite number of at least 0.

    Raises:
        ValueError: It is not one.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError("expected a number of at least 0")
    return value


def read_count(text: str) -> int:
    """Read a whole number of at least 0.

    Raises:
        ValueError: It is not one.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError("expected a whole number of at least 0")
    return int(text)
