"""Every feature, in both frameworks, in every way, from recordings of vLLM 0.32."""

import pytest
from vllm_connect.testing import LoopbackServer

from tests.matrix.features import FEATURES, Feature
from tests.matrix.ways import WAYS


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
async def test_a_feature_holds(recorded_server: LoopbackServer, feature: Feature) -> None:
    for way in WAYS.values():
        assert feature.kept(await way(recorded_server.url, feature))
