"""Every feature, in both frameworks, in every way, against the shapes of every older version."""

import pytest
from vllm_connect import ConstraintError
from vllm_connect.testing import LoopbackServer

from tests.matrix.features import FEATURES, Feature
from tests.matrix.older_servers import VERSIONS, older_server
from tests.matrix.table import cells, document
from tests.matrix.ways import WAYS, Way


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> object:
    with older_server(request.param) as running:
        yield running


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
async def test_a_feature_works(server: LoopbackServer, feature: Feature, way: Way) -> None:
    assert feature.kept(await way(server.url, feature))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_constraint_that_a_server_ignores_is_an_error(way: Way) -> None:
    ignored = {"extra_body": {"structured_outputs": None}, "structured_outputs": {"choice": ["yes", "no"]}}
    with older_server("0.22.0") as server, pytest.raises(ConstraintError, match="choice"):
        await way(server.url, Feature("ignored", "Hello", bool, ignored))


def test_the_documentation_lists_what_is_tested() -> None:
    rows = cells(document())
    assert [row[0] for row in rows] == [feature.name for feature in FEATURES]
    assert {cell for row in rows for cell in row[1:]} == {f"{len(WAYS)}/{len(WAYS)}"}
