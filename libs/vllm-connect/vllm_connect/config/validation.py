"""Validation errors without the values that were given: one of them may be the key.

`ChatVllm(temprature=0)` is `unknown argument 'temprature'; did you mean 'temperature'?`.
"""

import difflib
from collections.abc import Collection, Iterable

from pydantic import ValidationError

from vllm_connect.errors import ConfigurationError

__all__ = ["configuration_error", "nearest", "refuse_unknown"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the name that was probably meant.

    Args:
        name: The name given.
        known: The names that exist.

    Returns:
        The most similar one; None if no name is similar.
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Check that all arguments are known; an unknown one would be ignored silently.

    Args:
        given: Names of the arguments given.
        known: Names that are accepted.

    Raises:
        ConfigurationError: A name is not known; the message has the name that was probably meant.
    """
    for name in given:
        if name not in known:
            meant = nearest(name, known)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise ConfigurationError(f"unknown argument {name!r}{hint}")


def configuration_error(error: ValidationError) -> ConfigurationError:
    """Convert pydantic's error into one without any value that was given.

    Raise the result outside of the `except` block: a chained exception would still hold the values.

    Args:
        error: Pydantic's error.

    Returns:
        One error whose message has a line for each problem.
    """
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {what}" if where and not what.startswith(where) else what)
    return ConfigurationError("\n".join(lines))
