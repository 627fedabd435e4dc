"""The adapter in CONTRIBUTING works as it is written there."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vllm_connect import ConfigurationError
from vllm_connect.testing import Answer, Asked, LoopbackServer

from tests.pages import read_section

PAGE = Path(__file__).parents[3] / "CONTRIBUTING.md"
MESSAGES = [("system", "Be brief."), ("user", "Hi")]
SENT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


def answer(asked: Asked) -> Answer:
    end = {"index": 0, "finish_reason": "stop"}
    if not asked.body.get("stream"):
        return Answer.json({"choices": [{**end, "message": {"content": "Hello"}}]})
    pieces = [{"index": 0, "delta": {"content": text}} for text in ("Hel", "lo")]
    return Answer.events([{"choices": [choice]} for choice in (*pieces, {**end, "delta": {}})])


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(answer) as running:
        yield running


@pytest.fixture(scope="module")
def model_class() -> Any:
    code = read_section(PAGE, "adapter").removeprefix("```python\n").removesuffix("```")
    module: dict[str, Any] = {"__name__": "documented_adapter"}
    exec(compile(code, str(PAGE), "exec"), module)  # noqa: S102 - our own page
    return module["PairModel"]


async def test_all_methods_work(server: LoopbackServer, model_class: Any) -> None:
    async with model_class(base_url=server.url, temperature=0) as model:
        assert model.chat(MESSAGES, top_k=5, timeout=3) == "Hello"
        assert await model.achat(MESSAGES) == "Hello"
        assert "".join(model.stream(MESSAGES)) == "Hello"
        assert "".join([text async for text in model.astream(MESSAGES)]) == "Hello"
        assert copy.deepcopy(model).chat(MESSAGES) == "Hello"
    assert [asked.body["messages"] for asked in server.asked] == [SENT] * 5
    assert [asked.body["temperature"] for asked in server.asked] == [0] * 5
    assert server.asked[0].body["top_k"] == 5


def test_a_wrong_argument_is_refused(model_class: Any) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'temperature'"):
        model_class(temprature=0)
    with pytest.raises(ConfigurationError, match="did you mean 'temperature'"):
        model_class().chat(MESSAGES, temprature=0)
