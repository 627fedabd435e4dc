"""Whether a client did right by a fault: what came, how many requests, how long, what is left over, what has leaked.

`try_cell(fault, "core", "async", "stream")` is a verdict with the list of what was wrong, empty where nothing was.
"""

import gc
import logging
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vllm_connect import VllmError

from tests.faults.clients import CLIENTS, PROMPT, Came
from tests.faults.fault import CANARY, Fault
from tests.faults.server import FaultServer

__all__ = ["Verdict", "try_cell"]

SLACK = 0.5
"""Seconds that a busy machine may take beyond the deadline."""


@dataclass
class Verdict:
    """What came of a cell.

    Attributes:
        wrong: What was wrong, in words; empty where nothing was.
        came: What the client gave.
        requests: How many requests the server got.
    """

    wrong: list[str]
    came: Came
    requests: int


def try_cell(fault: Fault, client: str, loop: str, mode: str, maker: Callable[..., Any] | None = None) -> Verdict:
    """Try one fault on one client in one way.

    Args:
        fault: The fault.
        client: The client's name.
        loop: `sync` or `async`.
        mode: `stream` or `unary`.
        maker: Makes a client that is none of ours: any error will do where there must be one, within its deadline.
    """
    scripts = fault.scripts(mode)
    assert scripts is not None, fault.why_not
    gc.freeze()  # so that the collection after the call looks at what the call made
    log = _Log()
    with FaultServer(*scripts, greeting=fault.greeting) as server, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        root = logging.getLogger()
        level = root.level
        root.addHandler(log)
        root.setLevel(logging.DEBUG)
        begun = time.monotonic()
        try:
            url = server.url if fault.url is None else fault.url.format(port=server.port)
            if maker is None:
                came = CLIENTS[client](url, fault.settings, fault.fields).ask(loop, mode)
            else:
                came = _within(
                    fault.seconds + 2 * SLACK, lambda: maker(url, fault.settings, fault.fields).ask(loop, mode)
                )
        except Exception as error:  # noqa: BLE001 - settings are refused when the client is made
            came = Came(error=error)
        finally:
            root.removeHandler(log)
            root.setLevel(level)
        took = time.monotonic() - begun
        requests = len(server.requests)
        gc.collect()
        left = _left_open(server) if maker is None else []
    wrong = [*(_judge(fault, came) if maker is None else _judge_loosely(fault, came)), *left]
    if requests != fault.wants.requests:
        wrong.append(f"{requests} requests in place of {fault.wants.requests}")
    if took > fault.seconds + SLACK:
        wrong.append(f"took {took:.1f} s")
    wrong += [f"warned: {w.message}" for w in warned if issubclass(w.category, ResourceWarning)]
    wrong += _leaks(came, log.text())
    return Verdict(wrong, came, requests)


def _judge(fault: Fault, came: Came) -> list[str]:
    wants, wrong = fault.wants, []
    if wants.error is None:
        if came.error is not None:
            return [f"raised {shown(came.error)}"]
        if came.text != wants.text and not (wants.invalid and not came.text):
            wrong.append(f"the text is {came.text[:60]!r}")
        if [*came.calls] != [*wants.calls] and not wants.invalid:
            wrong.append(f"the calls are {str(came.calls)[:80]}")
        if wants.invalid and came.calls and came.calls != [*wants.calls]:
            wrong.append(f"would run {str(came.calls)[:80]}")
        if came.invalid != wants.invalid:
            wrong.append(f"{came.invalid} invalid calls in place of {wants.invalid}")
        return wrong
    if came.error is None:
        return [f"took {came.text[:40]!r} {came.calls} for an answer"]
    if not isinstance(came.error, wants.error):
        return [f"raised {shown(came.error)}"]
    for name in ("code", "phase"):
        wanted, found = getattr(wants, name), getattr(came.error, name, None)
        if wanted is not None and found != wanted:
            wrong.append(f"{name} is {found!r}")
    if wants.partial is not None and came.partial != wants.partial:
        wrong.append(f"keeps {came.partial!r}")
    if isinstance(came.error, VllmError) and fault.url is None and came.error.attempts not in (wants.requests, 0):
        wrong.append(f"says {came.error.attempts} attempts")
    return wrong


def _judge_loosely(fault: Fault, came: Came) -> list[str]:
    if fault.wants.error is None:
        return _judge(fault, came)
    if came.error is None:
        return [f"took {came.text[:40]!r} {came.calls} for an answer"]
    return ["did not end"] if isinstance(came.error, TimeoutError) else []


def _within(seconds: float, ask: Callable[[], Came]) -> Came:
    """Ask in a thread that may be left behind."""
    came: list[Came] = []
    thread = threading.Thread(target=lambda: came.append(ask()), daemon=True)
    thread.start()
    thread.join(seconds)
    return came[0] if came else Came(error=TimeoutError("it did not end"))


def shown(error: BaseException) -> str:
    """Show an error in a line."""
    return f"{type(error).__name__}: {error}"[:160]


def _left_open(server: FaultServer) -> list[str]:
    until = time.monotonic() + 2
    while server.open_connections and time.monotonic() < until:
        time.sleep(0.002)
    wrong = [f"{server.open_connections} connections left open"] if server.open_connections else []
    extra = [t.name for t in threading.enumerate() if t.name.startswith(("asyncio_", "ThreadPoolExecutor"))]
    return wrong + ([f"threads left: {extra}"] if extra else [])


def _leaks(came: Came, log: str) -> list[str]:
    shown = {"the log": log}
    error: BaseException | None = came.error
    while error is not None:
        shown[type(error).__name__] = "".join(
            [repr(error), str(error), str(error.__dict__), *traceback.format_exception(error)]
        )
        error = error.__cause__ or error.__context__
    return [
        f"{where} shows the {what}"
        for where, text in shown.items()
        for what, canary in (("key", CANARY), ("prompt", PROMPT))
        if canary in text
    ]


class _Log(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(("asyncio", "tests")):
            self._lines.append(record.getMessage())

    def text(self) -> str:
        return "\n".join(self._lines)
