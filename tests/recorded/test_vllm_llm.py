"""LlamaIndex's scenarios, from recordings of a server with the right parsers and of one without any."""

import pytest
from vllm_connect.testing import LoopbackServer

pytest.register_assert_rewrite("tests.llamaindex.scenarios")

from llama_index_vllm import VllmLLM  # noqa: E402 - after the registration above

from tests.llamaindex.scenarios import SCENARIOS, Scenario, objects_are_predicted  # noqa: E402 - the same

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
