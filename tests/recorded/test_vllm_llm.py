"""LlamaIndex's scenarios, from recordings of a server with the right parsers and of one without any."""

import pytest
from llama_index_vllm import VllmLLM
from vllm_connect.testing import LoopbackServer

from tests.llamaindex.scenarios import SCENARIOS, Scenario, objects_are_predicted

EVERY = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)


@EVERY
async def test_with_parsers(scenario: Scenario, recorded_server: LoopbackServer) -> None:
    async with VllmLLM(base_url=recorded_server.url, model="demo", temperature=0, max_tokens=200) as llm:
        await scenario(llm)


@EVERY
async def test_without_flags(scenario: Scenario, recorded_plain_server: LoopbackServer) -> None:
    # such a server holds the model to a schema from its first token, which leaves it no room to think
    reasoning = False if scenario is objects_are_predicted else None
    async with VllmLLM(
        base_url=recorded_plain_server.url, model="demo", temperature=0, max_tokens=200, reasoning=reasoning
    ) as llm:
        await scenario(llm)
