"""VllmLLM on a real server."""

import pytest
from llama_index_vllm import VllmLLM

from tests.llamaindex.scenarios import ANYWHERE, SCENARIOS, Scenario

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings(
        "ignore:The `__fields__` attribute is deprecated",  # LlamaIndex's workflows look at every attribute
        "ignore:The `__fields_set__` attribute is deprecated",
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_scenario(scenario: Scenario, flagged_server: str) -> None:
    async with VllmLLM(base_url=flagged_server, model="demo", temperature=0, max_tokens=200) as llm:
        await scenario(llm)


@pytest.mark.parametrize("scenario", ANYWHERE, ids=lambda scenario: scenario.__name__)
async def test_scenario_without_parsers(scenario: Scenario, plain_server: str) -> None:
    async with VllmLLM(base_url=plain_server, model="demo", temperature=0, max_tokens=200) as llm:
        await scenario(llm)
