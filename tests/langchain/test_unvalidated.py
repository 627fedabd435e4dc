"""Objects that are built without validation equal in every field those of the constructors."""

import json
import pickle
from typing import Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_vllm import chunks
from langchain_vllm.chunks import AnswerChunk, generation_chunk, message_chunk
from langchain_vllm.messages import from_completions
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from vllm_connect import Completion, InvalidToolCall, ToolCall, Usage

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
def test_a_chunk_equals_that_of_the_constructor_in_every_field(parts: Any, info: dict[str, Any] | None) -> None:
    names = ("content", "additional_kwargs", "response_metadata", "tool_call_chunks")
    message = message_chunk(*parts)
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
USAGE = Usage(9, 3, 12, cached_tokens=1, cache_creation_tokens=2)
ARGUMENTS: dict[str, Any] = {"a": [1, {"b": None}]}
ANSWERS: list[tuple[Completion, AIMessage]] = [
    (
        Completion(text="Hello", usage=USAGE, metadata={"id": "chatcmpl-1"}),
        AIMessage(
            content="Hello",
            additional_kwargs={},
            response_metadata={"model_provider": "vllm", "id": "chatcmpl-1", "token_usage": USAGE.named()},
            tool_calls=[],
            invalid_tool_calls=[],
            usage_metadata=COUNTS,
        ),
    ),
    (
        Completion(reasoning="Hm.", logprobs=(), finish_reason="stop"),
        AIMessage(
            content="",
            additional_kwargs={"reasoning_content": "Hm."},
            response_metadata={"model_provider": "vllm", "logprobs": {"content": []}, "finish_reason": "stop"},
            tool_calls=[],
            invalid_tool_calls=[],
            usage_metadata=None,
        ),
    ),
    (
        Completion(
            text="both",
            tool_calls=(ToolCall("call_1", "add", json.dumps(ARGUMENTS)),),
            invalid_tool_calls=(InvalidToolCall("call_2", "", '{"a": ', "truncated"),),
        ),
        AIMessage(
            content="both",
            additional_kwargs={},
            response_metadata={"model_provider": "vllm", "tool_call_errors": {"call_2": "truncated"}},
            tool_calls=[tool_call(name="add", args=ARGUMENTS, id="call_1")],
            invalid_tool_calls=[invalid_tool_call(name=None, args='{"a": ', id="call_2", error="truncated")],
            usage_metadata=None,
        ),
    ),
]


@pytest.mark.parametrize(("completion", "constructed"), ANSWERS)
def test_an_answer_equals_that_of_the_constructor_in_every_field(
    completion: Completion, constructed: AIMessage
) -> None:
    result = from_completions([completion])
    (made,) = result.generations
    metadata = constructed.response_metadata
    info = {name: metadata[name] for name in ("finish_reason", "logprobs") if name in metadata}
    output = {name: metadata[name] for name in ("token_usage",) if name in metadata}
    wanted = ChatGeneration(message=constructed, generation_info=info)
    wanted_result = ChatResult(generations=[wanted], llm_output=output)
    for mine, theirs in [(made.message, constructed), (made, wanted), (result, wanted_result)]:
        assert state(mine) == state(theirs)
        assert mine == theirs
        assert json.loads(mine.model_dump_json()) == json.loads(theirs.model_dump_json())
        assert pickle.loads(pickle.dumps(mine)) == theirs  # noqa: S301 - our own
        assert mine.model_copy(deep=True) == theirs
    assert dumpd(made.message) == dumpd(constructed)
    assert isinstance(made.message, AIMessage)
    assert made.message.content_blocks == constructed.content_blocks


def test_the_state_distinguishes_objects() -> None:
    assert state(message_chunk(*PARTS[0])) != state(message_chunk(*PARTS[2]))


def test_every_chunk_can_be_changed_independently() -> None:
    first, second = (message_chunk("a", {}, {}, []) for _ in range(2))
    first.id = "run-1"
    first.tool_calls.append({"name": "add", "args": {}, "id": "1"})
    assert (second.id, second.tool_calls, second.model_fields_set) == (None, [], second.model_fields_set - {"id"})


def test_a_field_of_a_later_version_gets_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chunks.OTHER_FIELDS == []
    assert chunks.OTHER_GENERATION_FIELDS == []
    later = [("added", FieldInfo(default="x")), ("since", FieldInfo(default_factory=list))]
    monkeypatch.setattr(chunks, "OTHER_FIELDS", later)
    monkeypatch.setattr(chunks, "OTHER_GENERATION_FIELDS", later)
    first, second = (message_chunk(*PARTS[2]) for _ in range(2))
    for built in (first, generation_chunk(first, None)):
        assert (built.__dict__["added"], built.__dict__["since"]) == ("x", [])
    first.__dict__["since"].append(1)
    assert second.__dict__["since"] == []
