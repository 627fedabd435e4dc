"""One fault: what the server does, and what must come of it.

`Fault("F40", "a stream ends without a finish reason", stream=[…], wants=Wants(error=StreamInterruptedError, partial="Hel"))`.
Adding a fault is adding one such value to a file in `scenarios`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.server import Script

__all__ = ["CANARY", "Fault", "Wants"]

CANARY = "sk-canary-7d1f"
"""The key that every cell uses; it must show nowhere."""

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Wants:
    """What must come of a fault.

    Attributes:
        error: The error's class; None where an answer must come.
        code: The error's `code`, where it matters.
        phase: The error's `phase`, where it matters.
        text: The answer's text.
        calls: The calls that may be run.
        invalid: How many calls there are that must not be run.
        partial: What the error keeps of the answer's text; None where nothing had come.
        requests: How many requests the server gets.
    """

    error: type[Exception] | None = None
    code: str | None = None
    phase: str | None = None
    text: str = ""
    calls: Sequence[Call] = ()
    invalid: int = 0
    partial: str | None = None
    requests: int = 1


@dataclass(frozen=True, repr=False)
class Fault:
    """A fault.

    Attributes:
        id: Its number.
        title: What happens.
        wants: What must come of it, streamed or not.
        stream: What the server does when it is asked for a stream, a script for each request; None where it does not
            apply.
        unary: The same when it is asked for a whole answer.
        settings: Settings of the model.
        fields: Fields of the request.
        seconds: The deadline of a cell.
        why_not: Why a mode that has no script does not apply.
        url: The address to call in place of the server's, `{port}` for its port.
        greeting: What the server does on a new connection before it reads.
    """

    id: str
    title: str
    wants: Wants
    stream: Sequence[Script] | None = None
    unary: Sequence[Script] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 5.0
    why_not: str = ""
    url: str | None = None
    greeting: Script = ()

    def __repr__(self) -> str:
        """Show the number: scripts and texts may be megabytes."""
        return f"Fault({self.id!r})"

    def scripts(self, mode: str) -> Sequence[Script] | None:
        """Give the scripts of a mode, `stream` or `unary`."""
        return self.stream if mode == "stream" else self.unary
