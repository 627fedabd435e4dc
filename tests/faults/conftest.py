"""What the tests of a whole client share: each of the three clients, a server that echoes, and an empty environment."""

from collections.abc import Iterator

import pytest

from tests.faults.clients import CLIENTS
from tests.faults.echo import Echo, echoing
from tests.faults.ways import ROUTES, WAYS


@pytest.fixture(params=CLIENTS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each client in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def echo() -> Iterator[Echo]:
    with echoing() as server:
        yield server


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_API_KEY", "VLLM_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each way to call a client in turn."""
    return str(request.param)


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    """Each route to the server in turn."""
    return str(request.param)
