"""One fault: what the server does, and what must come of it.

`Fault("F40", "a stream ends without a finish reason", stream=[…], wants=Wants(error=StreamInterruptedError, partial="Hel"))`.
Adding a fault is adding one such value to a file in `scenarios`.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.server import Script

__all__ = ["CANARY", "PROMPT", "Fault", "Wants"]

CANARY = "sk-canary-7d1f"
"""The key that every cell uses; it must show nowhere."""

PROMPT = "prompt-canary-51c2"
"""What is asked; it must show in no error and no log."""

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Wants:
    """What must come of a fault.

    Attributes:
        error: The error's class; None where an answer must come.
        facts: Attributes of the error, or `finish` and `tokens` of the answer.
        says: What the error's message matches.
        early: The error comes when the client is made.
        text: The answer's text.
        calls: The calls that may be run, or those that an error keeps and that are whole.
        invalid: The arguments, as they came, of calls that must not be run.
        partial: What the error keeps of the answer's text; None where nothing had come.
        kept: The arguments of calls that the error keeps and that must not be run.
        requests: How many requests the server gets.
        tries: How many requests the error says were sent, where the server cannot count them.
        sent: Headers of every request, and its `target`; None for one that must not be there.
        waits: Seconds between two requests, at least.
    """

    error: type[Exception] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    early: bool = False
    text: str = ""
    calls: Sequence[Call] = ()
    invalid: Sequence[str] = ()
    partial: str | None = None
    kept: Sequence[str] = ()
    requests: int = 1
    tries: int | None = None
    sent: Mapping[str, str | None] = field(default_factory=dict)
    waits: float = 0.0


@dataclass(frozen=True, repr=False)
class Fault:
    """A fault.

    In `url`, `settings`, `environment` and what is sent, `{port}` is the server's port.

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
        url: The address to call in place of the server's.
        environment: Variables of the environment.
        greeting: What the server does on a new connection before it reads.
        deaf: The server accepts no connection.
        tls: The server speaks TLS with this context.
        skips: Clients of which something else is wanted.
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
    environment: Mapping[str, str] = field(default_factory=dict)
    greeting: Script = ()
    deaf: bool = False
    tls: ssl.SSLContext | None = None
    skips: Sequence[str] = ()

    def __repr__(self) -> str:
        """Show the number: scripts and texts may be megabytes."""
        return f"Fault({self.id!r})"

    def modes(self, client: str) -> list[str]:
        """List the modes in which it is tried on a client."""
        return [mode for mode in ("unary", "stream") if self.scripts(mode) is not None and client not in self.skips]

    def scripts(self, mode: str) -> Sequence[Script] | None:
        """Give the scripts of a mode, `stream` or `unary`."""
        return self.stream if mode == "stream" else self.unary
