"""What is made past the constructors, and what the constructors make: the same in every field."""

import json
import pickle
from typing import Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_vllm.chunks import AnswerChunk
from langchain_vllm.construct import ai_message, chat_generation, chat_result, generation_chunk, message_chunk
from pydantic import BaseModel

CALL = tool_call_chunk(name="add", args='{"a": "C:/tem', id="call_1", index=0)
PIECE = tool_call_chunk(name=None, args="", id=None, index=0)
SAID = {"model_provider": "vllm", "id": "chatcmpl-1", "model_name": "demo"}
PARTS: list[tuple[str, dict[str, Any], dict[str, Any], list[ToolCallChunk]]] = [
    ("Hello", {}, {"model_provider": "vllm"}, []),
    ("", {"reasoning_content": "Hm."}, SAID, []),
    ("", {}, SAID, [CALL]),
    ("both", {}, {"logprobs": {"content": []}}, [CALL, PIECE]),
    ("", {}, {}, [PIECE]),
]


def state(made: BaseModel) -> tuple[Any, ...]:
    values = {name: value for name, value in made.__dict__.items() if not isinstance(value, BaseModel)}
    types = {name: type(value) for name, value in made.__dict__.items()}
    return values, list(made.__dict__), types, made.model_fields_set, made.model_extra, made.__pydantic_private__


@pytest.mark.parametrize("info", [None, {"logprobs": {"content": []}}])
@pytest.mark.parametrize("parts", PARTS)
def test_a_chunk_equals_the_constructors_in_every_field(parts: Any, info: dict[str, Any] | None) -> None:
    names = ("content", "additional_kwargs", "response_metadata", "tool_call_chunks")
    message = message_chunk(AnswerChunk, *parts)
    constructed = AnswerChunk(**dict(zip(names, parts, strict=True)))
    assert state(message) == state(constructed)
    assert message == constructed
    chunk = generation_chunk(message, info)
    wanted = ChatGenerationChunk(message=constructed, generation_info=info)
    assert state(chunk) == state(wanted)
    assert chunk == wanted
    assert chunk.model_dump_json() == wanted.model_dump_json()
    assert dumpd(message) == dumpd(constructed)
    assert pickle.loads(pickle.dumps(chunk)) == wanted  # noqa: S301 - our own
    assert chunk.model_copy(deep=True) == wanted
    assert message.content_blocks == constructed.content_blocks
    assert chunk + chunk == wanted + wanted


COUNTS = UsageMetadata(
    input_tokens=9, output_tokens=3, total_tokens=12, input_token_details={"cache_creation": 2, "cache_read": 1}
)
VALID = tool_call(name="add", args={"a": [1, {"b": None}]}, id="call_1")
INVALID = invalid_tool_call(name=None, args='{"a": ', id="call_2", error="cut")
ANSWERS: list[tuple[Any, ...]] = [
    ("Hello", {}, SAID, [], [], COUNTS),
    ("", {"reasoning_content": "Hm."}, {**SAID, "logprobs": {"content": []}}, [], [], None),
    ("both", {}, {}, [VALID, VALID], [INVALID], COUNTS),
]
NAMES = ("content", "additional_kwargs", "response_metadata", "tool_calls", "invalid_tool_calls", "usage_metadata")


@pytest.mark.parametrize("info", [{}, {"finish_reason": "stop"}])
@pytest.mark.parametrize("parts", ANSWERS)
def test_an_answer_equals_the_constructors_in_every_field(parts: Any, info: dict[str, Any]) -> None:
    given = dict(zip(NAMES, parts, strict=True))
    message, constructed = ai_message(**given), AIMessage(**given)
    made = chat_generation(message, info)
    wanted = ChatGeneration(message=constructed, generation_info=info)
    output = {"token_usage": {"total_tokens": 12}, "model_name": "demo"}
    result, wanted_result = chat_result([made], output), ChatResult(generations=[wanted], llm_output=output)
    for mine, theirs in [(message, constructed), (made, wanted), (result, wanted_result)]:
        assert state(mine) == state(theirs)
        assert mine == theirs
        assert json.loads(mine.model_dump_json()) == json.loads(theirs.model_dump_json())
        assert pickle.loads(pickle.dumps(mine)) == theirs  # noqa: S301 - our own
        assert mine.model_copy(deep=True) == theirs
    assert dumpd(message) == dumpd(constructed)
    assert message.content_blocks == constructed.content_blocks


def test_the_state_tells_objects_apart() -> None:
    assert state(message_chunk(AnswerChunk, *PARTS[0])) != state(message_chunk(AnswerChunk, *PARTS[2]))


def test_every_chunk_can_be_changed_on_its_own() -> None:
    first, second = (message_chunk(AnswerChunk, "a", {}, {}, []) for _ in range(2))
    first.id = "run-1"
    first.tool_calls.append({"name": "add", "args": {}, "id": "1"})
    assert (second.id, second.tool_calls, second.model_fields_set) == (None, [], second.model_fields_set - {"id"})


def test_a_field_of_a_later_version_gets_its_default() -> None:
    class Later(AnswerChunk):
        lately: list[int] = []  # noqa: RUF012 - pydantic copies it
        added: str = "x"

    made = message_chunk(Later, *PARTS[2])
    wanted = Later(content="", response_metadata=SAID, additional_kwargs={}, tool_call_chunks=[CALL])
    assert state(made) == state(wanted)
    made.lately.append(1)
    assert message_chunk(Later, *PARTS[2]).lately == []
