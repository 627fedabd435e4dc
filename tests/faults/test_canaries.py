"""No secret shows in any place; every place is one in which it would be found.

Each cell of `make faults` looks for every secret in every place, and the command prints how often it has looked.
"""

import asyncio
import logging
import warnings
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from vllm_connect import AuthenticationError
from vllm_connect.testing import record, replay

from tests.faults.canaries import (
    CREDENTIALS,
    PLACES,
    SECRETS,
    Watch,
    leaks,
    of_error,
    of_model,
    of_what_it_drags_along,
    settings,
)
from tests.faults.clients import Asker, Came, made
from tests.faults.echo import Echo
from tests.faults.fault import PROMPT
from tests.faults.replies import error
from tests.faults.server import FaultServer, answer

ECHO = error(f"bad key {SECRETS['key']}, tenant {SECRETS['header']}, and {CREDENTIALS}", 401)
ADAPTERS = {"serialised", "parameters"}
"""Places that the core does not have."""

FOUND_IN = {
    "repr": "127.0.0.1", "str": "127.0.0.1", "dump": "max_retries", "JSON": "max_retries", "serialised": "127.0.0.1",
    "state": "max_retries", "pickle": "max_retries", "copy": "127.0.0.1", "parameters": "demo", "answer": PROMPT,
    "message": "401", "chain": "AuthenticationError", "variables": "self=", "pickled error": "bad key",
    "log": "log of the test", "records": "log of the test", "warnings": "warning of the test",
}  # fmt: skip
"""A word that each place has: one that is empty would prove nothing."""


def secretive(kind: str, url: str, **given: Any) -> Asker:
    return made(kind, url.replace("//", f"//{CREDENTIALS}@"), **{**settings(), **given})


def asked(asker: Asker, way: str) -> Came:
    if way == "sync":
        return asker.ask(PROMPT)
    if way == "async":
        return asyncio.run(asker.aask(PROMPT))
    return asker.joined(list(asker.stream(PROMPT)))


def collected(kind: str, echo: Echo, way: str) -> dict[str, str]:
    """Show a model that has answered and one that has failed in all places."""
    with FaultServer(answer(ECHO, "401 Unauthorized")) as server, Watch() as watch:
        answering, failing = secretive(kind, echo.url), secretive(kind, server.url)
        came = asked(answering, way)
        with pytest.raises(AuthenticationError) as caught:
            asked(failing, way)
        logging.getLogger("of.a.library").debug("log of the test")
        warnings.warn("warning of the test", ResourceWarning, stacklevel=1)
        shown = {**of_model(answering.held), "answer": repr(came.raw), **watch.shown()}
        shown |= {**of_error(caught.value), **of_what_it_drags_along(caught.value)}
        asyncio.run(answering.aclose())
        asyncio.run(failing.aclose())
    return shown


@pytest.mark.parametrize("way", ["sync", "async", "stream"])
def test_no_secret_shows(kind: str, way: str, echo: Echo) -> None:
    """F115, F116, F119, F120, F121, F126."""
    shown = collected(kind, echo, way)
    assert leaks(shown) == []
    assert set(PLACES) - shown.keys() <= (ADAPTERS if kind == "core" else set())
    assert {where: word for where, word in FOUND_IN.items() if where in shown and word not in shown[where]} == {}
    assert (PROMPT in shown["traces"]) is (kind == "langchain")
    assert (PROMPT in shown["events"]) is (kind == "llamaindex")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_that_shows_is_found(what: str, place: str) -> None:
    assert leaks({place: f"a {SECRETS[what]} b"}) == [f"{place} shows the {what}"]


def test_a_prompt_is_found_where_it_must_not_be() -> None:
    assert leaks({"log": PROMPT, "answer": PROMPT}) == ["log shows the prompt"]


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_a_client_of_the_caller_logs_no_secret(kind: str, module: Any, echo: Echo) -> None:
    """F119: its library writes logs of its own, also of calls that succeed."""
    with module.Client() as blocking, Watch() as watch:
        async with module.AsyncClient() as waiting:
            asker = secretive(kind, echo.url, http_client=blocking, async_http_client=waiting)
            assert asker.ask(PROMPT).text == PROMPT
            assert asker.joined(list(asker.stream(PROMPT))).text == PROMPT
            assert (await asker.aask(PROMPT)).text == PROMPT
            assert asker.joined([piece async for piece in asker.astream(PROMPT)]).text == PROMPT
            await asker.aclose()
        shown = watch.shown()
    assert "chat/completions" in shown["log"]
    assert leaks(shown) == []


@pytest.mark.parametrize("status", ["answered", "refused"])
def test_a_recording_has_no_secret(kind: str, status: str, echo: Echo, tmp_path: Path) -> None:
    """F122: neither one that the fixture makes nor what is replayed from it."""
    cassette = tmp_path / "cassette.yaml"
    with FaultServer(answer(error("who are you?", 401), "401 Unauthorized")) as server:
        with record(cassette, echo.url if status == "answered" else server.url) as recorder:
            first = seen(secretive(kind, recorder.url))
        assert status == "answered" or SECRETS["key"] in server.requests[-1].headers["authorization"]
    with replay(cassette) as replayer:
        assert seen(secretive(kind, replayer.url)) == first
        assert replayer.unmatched == []
    text = cassette.read_text()
    assert PROMPT in text
    assert leaks({"recording": text, "exchanges": repr(replayer.exchanges)}) == []


def seen(asker: Asker) -> str:
    try:
        return asker.ask(PROMPT).text
    except AuthenticationError as error:
        return error.message
    finally:
        asker.close()
