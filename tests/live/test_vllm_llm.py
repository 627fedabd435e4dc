"""VllmLLM on real servers, with parsers and without."""

import pytest
from llama_index_vllm import VllmLLM

from tests.llamaindex.scenarios import SCENARIOS, Scenario, objects_are_predicted

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings(
        "ignore:The `__fields__` attribute is deprecated",  # LlamaIndex's workflows look at every attribute
        "ignore:The `__fields_set__` attribute is deprecated",
    ),
]

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)


@every_scenario
async def test_with_parsers(scenario: Scenario, flagged_server: str) -> None:
    async with VllmLLM(base_url=flagged_server, model="demo", temperature=0, max_tokens=200) as llm:
        await scenario(llm)


@every_scenario
async def test_without_parsers(scenario: Scenario, plain_server: str) -> None:
    # such a server holds the model to a schema from its first token, and one that wants to think fills its budget
    reasoning = False if scenario is objects_are_predicted else None
    async with VllmLLM(base_url=plain_server, model="demo", temperature=0, max_tokens=200, reasoning=reasoning) as llm:
        await scenario(llm)
