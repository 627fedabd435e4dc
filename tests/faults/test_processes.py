"""Processes and copies: each has its own connections, and none carries the key away."""

import asyncio
import copy
import multiprocessing
import os
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.clients import Asker, made
from tests.faults.echo import Echo

KEY = "sk-lifecycle-canary"
CHILDREN = 4
CALLS = 200
"""Calls of each child; with those of the parent there are 1,200."""


def _ask_often(asker: Asker, times: int, pipe: Any) -> None:
    pipe.send(_wrong(asker, str(os.getpid()), times))
    pipe.close()


def _wrong(asker: Asker, name: str, times: int) -> int:
    """Count the answers that are another's: half of them blocking, half of them in loops of ten."""

    async def ten(turn: int) -> int:
        prompts = [f"{name} a{turn + each}" for each in range(10)]
        answers = [(await asker.aask(prompt)).text for prompt in prompts]
        return sum(answer != prompt for answer, prompt in zip(answers, prompts, strict=True))

    wrong = sum(asker.ask(f"{name} {turn}").text != f"{name} {turn}" for turn in range(times // 2))
    return wrong + sum(asyncio.run(ten(turn)) for turn in range(0, times // 2, 10))


def test_fork_after_use(kind: str, echo: Echo) -> None:
    """F108: parent and children ask at the same time and get their own answers."""
    asker = made(kind, echo.url)
    assert asker.ask("before").text == "before"
    before = echo.asked
    pipes = []
    children = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the server's thread, and a fork beside it
        for _ in range(CHILDREN):
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context("fork").Process(target=_ask_often, args=(asker, CALLS, theirs))
            child.start()
            theirs.close()
            pipes.append(ours)
            children.append(child)
    wrong = _wrong(asker, "parent", 2 * CALLS)
    assert [wrong, *(pipe.recv() for pipe in pipes)] == [0] * (CHILDREN + 1)
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    assert echo.asked - before == 1_200
    asyncio.run(asker.aclose())


def _ask_unpickled(model: bytes, pipe: Any) -> None:
    thing = pickle.loads(model)  # noqa: S301 - our own bytes
    text = thing.invoke("spawned").text if hasattr(thing, "invoke") else thing.complete("spawned").text
    key = thing.api_key
    pipe.send((str(text), None if key is None else key.get_secret_value()))
    pipe.close()


@pytest.mark.parametrize("kind", ["langchain", "llamaindex"])
def test_spawn_and_pickle(kind: str, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """F109: a used model goes to another process without its key, and reads it from the environment there."""
    asker = made(kind, echo.url, api_key=KEY)
    assert asker.ask("before").text == "before"
    pickled = pickle.dumps(asker.held)
    assert KEY.encode() not in pickled
    monkeypatch.setenv("VLLM_API_KEY", "sk-of-the-child")
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_ask_unpickled, args=(pickled, theirs))
    child.start()
    theirs.close()
    assert ours.recv() == ("spawned", "sk-of-the-child")
    child.join(30)
    asyncio.run(asker.aclose())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
@pytest.mark.parametrize("kind", ["langchain", "llamaindex"])
def test_copies_after_use(kind: str, copied: Callable[[Any], Any], echo: Echo) -> None:
    """F109."""
    asker = made(kind, echo.url, api_key=KEY)
    assert asker.ask("before").text == "before"
    twin = copied(asker.held)
    assert twin.api_key.get_secret_value() == KEY
    text = twin.invoke("copy").text if kind == "langchain" else twin.complete("copy").text
    assert str(text) == "copy"
    twin.close()
    assert asker.ask("after").text == "after"
    asyncio.run(asker.aclose())
