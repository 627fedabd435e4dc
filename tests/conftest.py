"""Recorded servers: a test's own cassette is replayed, or recorded anew with `--record`.

The cassette of `tests/recorded/test_x.py::TestY::test_z` is `tests/cassettes/test_x/TestY.test_z.yaml`.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from vllm_connect.testing import LoopbackServer, record, replay

from tests.live.vllm_server import running

pytest.register_assert_rewrite("tests.langchain.standard", "tests.llamaindex.scenarios")

CASSETTES = Path(__file__).parent / "cassettes"
FLAGS = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="record cassettes anew from real servers")


def cassette_of(nodeid: str) -> Path:
    """Name the cassette of a test."""
    file, *names = nodeid.split("::")
    return CASSETTES / Path(file).stem / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', '.'.join(names)).strip('-')}.yaml"


def _upstream(config: pytest.Config, variable: str, flags: list[str]) -> Iterator[str]:
    given = os.environ.get(variable)
    if not config.getoption("--record"):
        yield ""
    elif given:
        yield given
    else:
        with running(flags) as url:
            yield url


@pytest.fixture(scope="session")
def _flagged_upstream(pytestconfig: pytest.Config) -> Iterator[str]:
    yield from _upstream(pytestconfig, "VLLM_BASE_URL", FLAGS)


@pytest.fixture(scope="session")
def _plain_upstream(pytestconfig: pytest.Config) -> Iterator[str]:
    yield from _upstream(pytestconfig, "VLLM_PLAIN_BASE_URL", [])


@contextmanager
def _serving(nodeid: str, upstream: str) -> Iterator[LoopbackServer]:
    cassette = cassette_of(nodeid)
    with record(cassette, upstream) if upstream else replay(cassette) as server:
        yield server
    unmatched = [f"{asked.method} {asked.path} {json.dumps(asked.body)}" for asked in server.unmatched]
    assert not unmatched, f"{cassette.name} has no recording of: {unmatched}"
    assert not server.unused, f"{cassette.name} has recordings that nobody asks for: {server.unused}"


@pytest.fixture
def recorded_server(request: pytest.FixtureRequest, _flagged_upstream: str) -> Iterator[LoopbackServer]:
    """A server with the right parsers."""
    with _serving(request.node.nodeid, _flagged_upstream) as server:
        yield server


@pytest.fixture
def recorded_plain_server(request: pytest.FixtureRequest, _plain_upstream: str) -> Iterator[LoopbackServer]:
    """A server without parser flags."""
    with _serving(request.node.nodeid, _plain_upstream) as server:
        yield server


@pytest.fixture
def frequent_thread_switches() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
