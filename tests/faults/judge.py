"""Whether a client did right by a fault: what came, how many requests, how long, what is left over, what has leaked.

`try_cell(fault, "core", "async", "stream")` is a verdict with the list of what was wrong, empty where nothing was.
"""

import asyncio
import gc
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from unittest import mock

from langchain_vllm import errors as langchain_errors
from vllm_connect import VllmError

from tests.faults.canaries import (
    CREDENTIALS,
    Watch,
    leaks,
    of_error,
    of_model,
    of_what_it_drags_along,
    settings as settings_with_secrets,
)
from tests.faults.clients import CLIENTS, Asker, Came, failed
from tests.faults.fault import PROMPT, Fault
from tests.faults.server import FaultServer

__all__ = ["LOOPS", "Verdict", "try_cell"]

LOOPS = ("sync", "async")

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
        },
    },
    {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
]

SLACK = 0.5
"""Seconds beyond the deadline that `make faults` allows; a test must not depend on its machine and allows more."""

PATIENCE = 30.0
"""Seconds until what must end has ended."""


@dataclass
class Verdict:
    """What came of a cell.

    Attributes:
        wrong: What was wrong, in words; empty where nothing was.
        came: What the client gave.
        requests: How many requests the server got.
        places: In how many places every secret was looked for.
    """

    wrong: list[str]
    came: Came
    requests: int
    places: int


def try_cell(
    fault: Fault, client: str, loop: str, mode: str, peer: Callable[..., Asker] | None = None, *, slack: float = SLACK
) -> Verdict:
    """Try one fault on one client in one way.

    Args:
        fault: The fault.
        client: The client's name.
        loop: `sync` or `async`.
        mode: `stream` or `unary`.
        peer: Creates a client of another package: any error will do where there must be one, within its deadline.
        slack: Seconds that a busy machine may take beyond the deadline.
    """
    scripts = fault.scripts(mode)
    assert scripts is not None, fault.why_not
    gc.freeze()  # so that the collection after the call looks at what the call made
    server = FaultServer(*scripts, greeting=fault.greeting, deaf=fault.deaf, tls=fault.tls)
    with server, Watch() as watch, _environment(fault, server):
        begun = time.monotonic()
        call = _Call(fault, server, peer or CLIENTS[client], is_ours=peer is None)
        came = (
            call.came(loop, mode) if peer is None else _within(fault.seconds + 2 * SLACK, lambda: call.came(loop, mode))
        )
        took = time.monotonic() - begun
        requests = list(server.requests)
        gc.collect()
        left = [*call.left, *_left_open(server)] if peer is None else []
    judge = _judge_loosely if peer else _judge_error if fault.wants.error else _judge_answer
    wrong = [*judge(fault, client, came), *left]
    if len(requests) != fault.wants.requests:
        wrong.append(f"{len(requests)} requests in place of {fault.wants.requests}")
    if took > fault.seconds + slack:
        wrong.append(f"took {took:.1f} s")
    for first, second in pairwise(requests):
        if second.at - first.at < fault.wants.waits:
            wrong.append(f"waited {second.at - first.at:.2f} s only")
    for name, value in fault.wants.sent.items():
        sent = {request.target if name == "target" else request.headers.get(name) for request in requests}
        wrong += [f"sent {name} {each}" for each in sent if each != _put(value, server)]
    wrong += [f"warned: {w.message}" for w in watch.warned if issubclass(w.category, ResourceWarning)]
    shown = {**call.shown, **watch.shown(), **(of_error(came.error) if came.error else {})}
    if came.error is not None and peer is None:
        shown.update(of_what_it_drags_along(came.error))
    return Verdict([*wrong, *leaks(shown)], came, len(requests), len(shown))


def _environment(fault: Fault, server: FaultServer) -> Any:
    return mock.patch.dict(os.environ, {name: _put(text, server) for name, text in fault.environment.items()})


def _put(value: Any, server: FaultServer) -> Any:
    """Put the server's port where it is wanted."""
    return value.replace("{port}", str(server.port)) if isinstance(value, str) else value


class _Call:
    """One question to one client.

    Attributes:
        left: What the client left behind when it had given its answer, before and after it was closed.
        shown: What its model and its answer show.
    """

    def __init__(self, fault: Fault, server: FaultServer, make: Callable[..., Asker], *, is_ours: bool) -> None:
        self._fault = fault
        self._make = make
        self._server = server
        self._is_ours = is_ours
        self.left: list[str] = []
        self.shown: dict[str, str] = {}

    def came(self, loop: str, mode: str) -> Came:
        """Make the client, ask it, and close it."""
        given = {**settings_with_secrets(), "max_retries": 0, "retry_delay": 0.01, **self._fault.settings}
        url = self._server.url if self._fault.url is None else _put(self._fault.url, self._server)
        if self._is_ours and self._fault.url is None:
            url = url.replace("//", f"//{CREDENTIALS}@")
        settings = {name: _put(value, self._server) for name, value in given.items()}
        try:
            asker = self._make(url, tools=TOOLS, fields=self._fault.fields, **settings)
        except Exception as error:  # noqa: BLE001 - settings are refused when the client is made
            return Came(error=error, early=True)
        came = self._blocking(asker, mode) if loop == "sync" else asyncio.run(self._waiting(asker, mode))
        if self._is_ours:
            self.shown = {**of_model(asker.held), "answer": repr(came.raw)}
        return came

    def _blocking(self, asker: Asker, mode: str) -> Came:
        try:
            came = asker.joined(list(asker.stream(PROMPT))) if mode == "stream" else asker.ask(PROMPT)
        except Exception as error:  # noqa: BLE001 - whatever comes is judged
            came = failed(error)
        until = time.monotonic() + PATIENCE
        while self._server.busy and time.monotonic() < until:
            time.sleep(0.001)
        self._look()
        asker.close()
        return came

    async def _waiting(self, asker: Asker, mode: str) -> Came:
        try:
            if mode == "stream":
                came = asker.joined([piece async for piece in asker.astream(PROMPT)])
            else:
                came = await asker.aask(PROMPT)
        except Exception as error:  # noqa: BLE001 - whatever comes is judged
            came = failed(error)
        until = time.monotonic() + PATIENCE
        while self._server.busy and time.monotonic() < until:  # noqa: ASYNC110 - the server is in a thread
            await asyncio.sleep(0.001)
        self._look()
        await asker.aclose()
        while len(asyncio.all_tasks()) > 1 and time.monotonic() < until:  # noqa: ASYNC110 - tasks have no event
            await asyncio.sleep(0)
        self.left += [f"a task is left: {task}" for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        return came

    def _look(self) -> None:
        """A server that is still at work is one that does not know that its client has gone."""
        if self._server.busy:
            self.left.append("the server works on")


def _judge_answer(fault: Fault, client: str, came: Came) -> list[str]:
    wants, wrong = fault.wants, []
    if came.error is not None:
        return [f"raised {in_a_line(came.error)}"]
    for name in ("text", "calls", "invalid"):
        wanted, found = getattr(wants, name), getattr(came, name)
        if client == "llamaindex" and wants.invalid and name == "calls":
            wanted = []  # its answer is an error that has the invalid calls
        if found != (wanted if isinstance(wanted, str) else [*wanted]):
            wrong.append(f"the {name} is {found!r}"[:90])
    if not all(came.ids) or len(set(came.ids)) < len(came.calls):
        wrong.append(f"the ids are {came.ids}")
    return [*wrong, *_facts(fault, came)]


def _judge_error(fault: Fault, client: str, came: Came) -> list[str]:
    wants, wrong = fault.wants, []
    if came.error is None:
        return [f"took {came.text[:40]!r} {came.calls} for an answer"]
    if not isinstance(came.error, wants.error or Exception):
        return [f"raised {in_a_line(came.error)}"]
    if came.early is not wants.early:
        wrong.append(f"raised {'before' if came.early else 'after'} it was asked")
    if not re.search(wants.says, str(came.error)):
        wrong.append(f"says {in_a_line(came.error)}")
    if (came.partial or None, came.calls, came.kept) != (wants.partial, [*wants.calls], [*wants.kept]):
        wrong.append(f"keeps {came.partial!r} {came.calls} {came.kept}"[:90])
    if not isinstance(came.error, langchain_errors.VllmError if client == "langchain" else VllmError):
        return [*wrong, f"is a {type(came.error).__module__} error"]
    tries = wants.requests if wants.tries is None else wants.tries
    if came.error.attempts != tries and not wants.early:
        wrong.append(f"says {came.error.attempts} tries in place of {tries}")
    return [*wrong, *_facts(fault, came.error)]


def _facts(fault: Fault, found: object) -> list[str]:
    told = {name: getattr(found, name, None) for name in fault.wants.facts}
    return [f"{name} is {told[name]!r}" for name, fact in fault.wants.facts.items() if told[name] != fact]


def _judge_loosely(fault: Fault, _: str, came: Came) -> list[str]:
    """Judge a client of another package: by what it would let the caller take for an answer."""
    wants, wrong = fault.wants, []
    if wants.error is None:
        if came.error is not None:
            return [f"raised {in_a_line(came.error)}"]
        if came.text != wants.text:
            wrong.append(f"the text is {came.text[:60]!r}")
        if came.calls != [*wants.calls]:
            wrong.append(f"would run {str(came.calls)[:80]}" if wants.invalid else f"the calls are {came.calls}"[:90])
        return wrong
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


def in_a_line(error: BaseException) -> str:
    """Show an error in a line."""
    return f"{type(error).__name__}: {error}"[:160]


def _left_open(server: FaultServer) -> list[str]:
    until = time.monotonic() + PATIENCE
    while server.open_connections and time.monotonic() < until:
        time.sleep(0.002)
    wrong = [f"{server.open_connections} connections left open"] if server.open_connections else []
    extra = [t.name for t in threading.enumerate() if t.name.startswith(("asyncio_", "ThreadPoolExecutor"))]
    return wrong + ([f"threads left: {extra}"] if extra else [])
