"""No key, header or prompt in any log of any library, nor in what an error drags along; settings are tested with their models."""

import asyncio
import logging
import pickle
import traceback

import pytest

from tests.faults.clients import made
from tests.faults.server import FaultServer, Script, answer, close, reset, send

CANARIES = ("sk-canary-4f1d", "header-canary-83ab", "prompt-canary-51c2", "url-canary-77e0")
ECHO = {"error": {"message": f"bad key {CANARIES[0]} and header {CANARIES[1]}", "code": 401}}
FAULTS: dict[str, Script] = {
    "echoed secrets": answer(ECHO, "401 Unauthorized"),
    "overloaded": answer(b"", "503 Service Unavailable"),
    "reset": [reset],
    "cut head": [send(b"HTTP/1.1 200 OK\r\nx"), close],
    "no JSON": answer(b"<html>"),
    "redirect": answer(b"", "302 Found", {"location": "http://127.0.0.1:9/elsewhere"}),
}


@pytest.mark.parametrize("loop", ["sync", "async"])
@pytest.mark.parametrize("fault", FAULTS)
def test_logs_and_errors(kind: str, fault: str, loop: str, caplog: pytest.LogCaptureFixture) -> None:
    """F116, F119, F120, F126, F35: DEBUG of everything below, the whole chain, and its pickle."""
    caplog.set_level(logging.DEBUG)
    with FaultServer(FAULTS[fault]) as server:
        url = server.url.replace("//", f"//user:{CANARIES[3]}@")
        asker = made(kind, url, api_key=CANARIES[0], headers={"x-tenant": CANARIES[1]})
        try:
            came = asker.ask(CANARIES[2]) if loop == "sync" else asyncio.run(asker.aask(CANARIES[2]))
            pytest.fail(f"{came} is no answer")
        except Exception as error:  # noqa: BLE001 - whatever comes is looked at
            shown = ["".join(traceback.format_exception(error)), repr(error.__dict__), repr(pickle.dumps(error))]
        assert len(server.requests) == 1
    shown += [caplog.text, repr([record.__dict__ for record in caplog.records])]
    assert [canary for canary in CANARIES for each in shown if canary in each] == []
