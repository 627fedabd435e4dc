"""Callbacks, events, spans and token counting around the calls."""

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.callbacks import (
    CallbackManager,
    CBEventType,
    EventPayload,
    LlamaDebugHandler,
    TokenCountingHandler,
)
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # all import it from here
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, Field
from typing_extensions import override

from tests.llamaindex.conftest import Connect, Serve
from tests.llamaindex.fake_vllm import USAGE, Answer
from tests.llamaindex.ways import CHATS, COMPLETIONS, STREAMS, Chat, Completion, user

every_chat = pytest.mark.parametrize("ask", CHATS)
every_completion = pytest.mark.parametrize("ask", COMPLETIONS)


class Recorder(BaseEventHandler):
    """Records every event."""

    seen: list[Any] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Recorder"

    @override
    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.seen.append(event)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    root = get_dispatcher()
    made = Recorder()
    root.add_event_handler(made)
    yield made
    root.event_handlers.remove(made)


def names(recorder: Recorder) -> list[str]:
    found: list[str] = []
    for event in recorder.seen:
        if not found or found[-1] != event.class_name():
            found.append(event.class_name())
    return [name for name in found if not name.startswith("Span")]


@every_chat
async def test_a_chat_is_reported_once(ask: Chat, serve: Serve, connect: Connect, recorder: Recorder) -> None:
    responses = await ask(connect(serve(Answer("Hello", reasoning="Hm."))), user())
    progress = ["LLMChatInProgressEvent"] if ask in STREAMS else []
    assert names(recorder) == ["LLMChatStartEvent", *progress, "LLMChatEndEvent"]
    end = recorder.seen[-1]
    assert end.response.message == responses[-1].message
    assert end.response.raw["usage"] == USAGE


@every_completion
async def test_a_completion_is_reported_once(
    ask: Completion, serve: Serve, connect: Connect, recorder: Recorder
) -> None:
    responses = await ask(connect(serve(Answer("Hello"))), "Hi")
    found = names(recorder)
    assert (found[0], found[-1]) == ("LLMCompletionStartEvent", "LLMCompletionEndEvent")
    assert not [name for name in found if "Chat" in name]
    assert recorder.seen[-1].response == responses[-1]


@every_chat
async def test_no_event_has_a_secret(ask: Chat, serve: Serve, connect: Connect, recorder: Recorder) -> None:
    llm = connect(serve(), api_key="sk-canary-key", headers={"X-A": "canary-header"})
    await ask(llm, user())
    text = repr([event.model_dump() for event in recorder.seen])
    assert "canary" not in text
    assert recorder.seen[0].model_dict["model"] == "demo"


@every_chat
async def test_tokens_are_counted_by_the_server(ask: Chat, serve: Serve, connect: Connect) -> None:
    counter = TokenCountingHandler(tokenizer=lambda _: ["wrong"] * 1000)
    llm = connect(serve(), callback_manager=CallbackManager([counter]))
    await ask(llm, user())
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (11, 7)


@every_completion
async def test_tokens_of_completions_are_counted_too(ask: Completion, serve: Serve, connect: Connect) -> None:
    counter = TokenCountingHandler(tokenizer=lambda _: ["wrong"] * 1000)
    llm = connect(serve(), callback_manager=CallbackManager([counter]))
    await ask(llm, "Hi")
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (11, 7)


@every_chat
async def test_older_callbacks_receive_the_answer(ask: Chat, serve: Serve, connect: Connect) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    llm = connect(serve(), callback_manager=CallbackManager([debug]))
    await ask(llm, user())
    ((start, end),) = debug.get_event_pairs(CBEventType.LLM)
    assert start.payload is not None
    assert end.payload is not None
    assert start.payload[EventPayload.SERIALIZED]["class_name"] == "VllmLLM"
    assert end.payload[EventPayload.RESPONSE].message.content == "Hello"


@every_chat
async def test_a_failure_is_reported(ask: Chat, serve: Serve, connect: Connect) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    server = serve(Answer(status=401, extra={"error": "Unauthorized"}))
    with pytest.raises(Exception, match="401") as caught:
        await ask(connect(server, callback_manager=CallbackManager([debug])), user())
    ((_, end),) = debug.get_event_pairs(CBEventType.LLM)
    assert end.payload is not None
    assert end.payload[EventPayload.EXCEPTION] is caught.value


class Limiter:
    """Counts what it lets pass."""

    def __init__(self) -> None:
        self.passed = 0

    def acquire(self) -> None:
        self.passed += 1

    async def async_acquire(self) -> None:
        self.passed += 1


@every_chat
async def test_a_rate_limiter_is_asked_once(ask: Chat, serve: Serve, connect: Connect) -> None:
    limiter = Limiter()
    await ask(connect(serve(), rate_limiter=limiter), user())
    assert limiter.passed == 1


class City(BaseModel):
    """A city."""

    name: str


async def test_a_structured_prediction_is_reported(serve: Serve, connect: Connect, recorder: Recorder) -> None:
    llm = connect(serve(Answer('{"name": "Oslo"}')))
    prompt = PromptTemplate("Name a city.")
    expected = [
        "LLMStructuredPredictStartEvent",
        "LLMChatStartEvent",
        "LLMChatEndEvent",
        "LLMStructuredPredictEndEvent",
    ]
    llm.structured_predict(City, prompt)
    assert names(recorder) == expected
    recorder.seen.clear()
    await llm.astructured_predict(City, prompt)
    assert names(recorder) == expected
    recorder.seen.clear()
    list(llm.stream_structured_predict(City, prompt))
    found = names(recorder)
    assert (found[0], found[-1]) == ("LLMStructuredPredictStartEvent", "LLMStructuredPredictEndEvent")


async def test_predictions_use_the_system_prompt(serve: Serve, connect: Connect) -> None:
    server = serve()
    llm = connect(server, system_prompt="Be brief.")
    prompt = PromptTemplate("Say {word}.")
    assert llm.predict(prompt, word="hello") == "Hello"
    assert await llm.apredict(prompt, word="hello") == "Hello"
    assert "".join(llm.stream(prompt, word="hello")) == "Hello"
    assert "".join([token async for token in await llm.astream(prompt, word="hello")]) == "Hello"
    expected = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
    assert [body["messages"] for body in server.bodies] == [expected] * 4
    assert set(server.paths) == {"/v1/chat/completions"}
