"""What is made past the constructors, and what the constructors make: the same in every field."""

import pickle
from typing import Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_vllm.chunks import AnswerChunk
from langchain_vllm.construct import generation_chunk, message_chunk
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
