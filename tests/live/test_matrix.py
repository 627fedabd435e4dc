"""Every feature, in both frameworks, in every way, with and without the server's parsers."""

import pytest

from tests.matrix.features import FEATURES, Feature
from tests.matrix.ways import WAYS, Way

pytestmark = pytest.mark.live


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("server", ["flagged_server", "plain_server"])
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
async def test_a_feature_holds(request: pytest.FixtureRequest, feature: Feature, server: str, way: Way) -> None:
    assert feature.kept(await way(request.getfixturevalue(server), feature))
