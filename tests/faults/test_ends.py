"""Ends: of the interpreter, of a loop, and of clients that are not ours to close."""

import gc
import re
import subprocess
import sys

import httpx
import pytest

from tests.faults.clients import made
from tests.faults.echo import Echo
from tests.faults.server import FaultServer
from tests.faults.test_leaving import ENDLESS
from tests.faults.ways import ROUTES

QUIET = (sys.executable, "-W", "ignore", "-W", "default::ResourceWarning")
EXIT = """
import asyncio
from tests.faults.clients import made

asker = made({kind!r}, {url!r})
held = []

async def begin():
    held.append(asker.astream("hold"))
    print(asker.joined([await anext(held[-1])]).text.split()[0])

loop = asyncio.new_event_loop()
loop.run_until_complete(begin())
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()
asyncio.run(begin())
held.append(asker.stream("hold"))
print(asker.joined([next(held[-1])]).text.split()[0])
"""
"""Streams that are open when a loop is closed, when another ends, and when the interpreter does."""

DROPPED = """
import asyncio
from tests.faults.clients import made

async def ask():
    print((await made({kind!r}, {url!r}).aask("word")).text)

loop = asyncio.new_event_loop()
loop.run_until_complete(ask())
loop.run_until_complete(ask())
if {shut_down}:
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
"""
"""Models that nobody holds any more when their loop stops; the first is closed while the second asks."""

OF_ASYNCIO = re.compile(
    r"an error occurred during closing of asynchronous generator <async_generator object \w+\.(?:_?astream|_run) at .*>\n"
    r"asyncgen: <async_generator object \w+\.(?:_?astream|_run) at .*>\n"
    r"(?:(?:Traceback \(most recent call last\):\n(?:  .*\n)*)(?:GeneratorExit\n\n.*\n\n)?)*"
    r"RuntimeError: aclose\(\): asynchronous generator is already running\n"
)
"""A loop that ends closes a generator and the one that it reads from at once, and asyncio may tell of it: LangChain's `astream`
over ours, and through httpx, which takes turns of the loop to close, any over `AsyncVllmClient._run`."""


def test_exit_with_open_streams(kind: str, route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F111: no traceback and no warning."""
    monkeypatch.setenv("VLLM_TRANSPORT", ROUTES[route])
    with FaultServer(ENDLESS) as server:
        done = subprocess.run(
            [*QUIET, "-c", EXIT.format(kind=kind, url=server.url)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        server.wait_until_closed()
    assert (done.returncode, done.stdout.split()) == (0, ["word"] * 3)
    may_tell = kind == "langchain" or route == "httpx"
    assert (OF_ASYNCIO.sub("", done.stderr) if may_tell else done.stderr) == ""


@pytest.mark.parametrize("shut_down", [False, True])
def test_exit_with_models_that_were_dropped(
    kind: str, route: str, echo: Echo, shut_down: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop stopped before it could close the last; its own end does, or that of the interpreter, and never both."""
    monkeypatch.setenv("VLLM_TRANSPORT", ROUTES[route])
    command = [sys.executable, "-W", "ignore", "-c", DROPPED.format(kind=kind, url=echo.url, shut_down=shut_down)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["word"] * 2, "")


async def test_a_client_of_the_caller_is_never_closed(kind: str, echo: Echo) -> None:
    """F112."""
    with httpx.Client() as blocking:
        async with httpx.AsyncClient() as waiting:
            asker = made(kind, echo.url, http_client=blocking, async_http_client=waiting)
            assert asker.ask("a").text == "a"
            assert (await asker.aask("b")).text == "b"
            await asker.aclose()
            del asker
            gc.collect()
            assert not blocking.is_closed
            assert not waiting.is_closed
