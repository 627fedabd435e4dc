"""Several answers, batches, token usage, callbacks and traces."""

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_vllm import ChatVllm, __version__
from langchain_vllm.chat_models import ChatVllm as SameClass

from tests.langchain.scripted import Answer, Scripted

HI: list[BaseMessage] = [HumanMessage("Hi")]


def two() -> dict[str, Any]:
    whole = Answer("one").whole()
    (choice,) = whole["choices"]
    second = {**choice, "index": 1, "message": {"role": "assistant", "content": "two"}, "finish_reason": "length"}
    return {**whole, "choices": [choice, second]}


async def test_n_answers_are_n_generations() -> None:
    script = Scripted([two()])
    model = script.model(n=2)
    for result in (model.generate([HI]), await model.agenerate([HI])):
        generations = result.generations[0]
        assert [g.text for g in generations] == ["one", "two"]
        assert [g.generation_info["finish_reason"] for g in generations if g.generation_info] == ["stop", "length"]
        messages = [g.message for g in generations if isinstance(g, ChatGeneration)]
        counted = [m.usage_metadata["total_tokens"] for m in messages if isinstance(m, AIMessage) and m.usage_metadata]
        assert counted == [18]
    assert script.asked[0]["n"] == 2


def test_invoke_does_not_stream_several_answers() -> None:
    watching = Watching()
    script = Scripted([two()])
    script.model(n=2, streaming=True).invoke("Hi", {"callbacks": [watching]})
    assert watching.tokens == []
    assert "stream" not in script.asked[0]


async def test_usage_adds_up_over_a_batch() -> None:
    script = Scripted([Answer("Hi")])
    result = script.model().generate([HI, HI])
    assert result.llm_output == {
        "token_usage": {
            "prompt_tokens": 22,
            "completion_tokens": 14,
            "total_tokens": 36,
            "cached_tokens": 8,
            "reasoning_tokens": 6,
        },
        "model_name": "demo",
    }
    model = ChatVllm()
    assert model._combine_llm_outputs([None, {"model_name": "a"}]) == {"model_name": "a"}
    assert model._combine_llm_outputs([None]) == {}
    usage = UsageMetadataCallbackHandler()
    await script.model().abatch(["Hi", "Hi"], {"callbacks": [usage]})
    list(script.model().stream("Hi", {"callbacks": [usage]}))
    assert usage.usage_metadata["demo"]["total_tokens"] == 54


def test_a_batch_keeps_order_and_errors() -> None:
    model = Scripted([Answer("Hi")]).model()
    good, bad = model.batch(["Hi", []], return_exceptions=True)
    assert good.text == "Hi"
    assert isinstance(bad, Exception)


class Watching(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.started: dict[str, Any] = {}
        self.ended: list[LLMResult] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.started = {"args": args, **kwargs}

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:
        assert isinstance(chunk, ChatGenerationChunk)
        self.tokens.append(token)

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        self.ended.append(response)


def test_callbacks_receive_every_chunk() -> None:
    watching = Watching()
    model = Scripted([Answer("Hello there", "why")]).model(streaming=True)
    model.invoke("Hi", {"callbacks": [watching]}, top_k=2)
    assert "".join(watching.tokens) == "Hello there"
    assert watching.started["invocation_params"]["base_url"] == "http://127.0.0.1:9"
    assert watching.started["invocation_params"]["top_k"] == 2
    metadata = watching.started["metadata"]
    assert (metadata["ls_provider"], metadata["ls_model_name"]) == ("vllm", "demo")
    assert metadata["lc_versions"]["langchain-vllm"] == __version__
    (result,) = watching.ended
    assert result.generations[0][0].text == "Hello there"


def test_tracing_parameters() -> None:
    model = ChatVllm(model="demo", temperature=0.5, max_tokens=9, stop="x")
    assert model._get_ls_params() == {
        "ls_provider": "vllm",
        "ls_model_type": "chat",
        "ls_model_name": "demo",
        "ls_temperature": 0.5,
        "ls_max_tokens": 9,
        "ls_stop": ["x"],
    }
    assert model._get_ls_params(stop=["y"], model="other", max_completion_tokens=3) == {
        "ls_provider": "vllm",
        "ls_model_type": "chat",
        "ls_model_name": "other",
        "ls_temperature": 0.5,
        "ls_max_tokens": 3,
        "ls_stop": ["y"],
    }
    assert model._llm_type == "vllm-chat"
    assert SameClass.lc_id() == ["langchain_vllm", "chat_models", "ChatVllm"]


def test_fields_that_the_server_adds_are_in_the_metadata() -> None:
    whole = {**Answer("Hi").whole(), "kv_transfer_params": {"a": 1}, "prompt_token_ids": [1, 2]}
    whole["choices"][0]["token_ids"] = [3, 4]
    metadata = Scripted([whole]).model().invoke("Hi").response_metadata
    assert (metadata["kv_transfer_params"], metadata["prompt_token_ids"], metadata["token_ids"]) == (
        {"a": 1},
        [1, 2],
        [3, 4],
    )
    assert metadata["model_provider"] == "vllm"
