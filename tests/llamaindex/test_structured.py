"""Structured prediction in all modes: what is sent, what is returned, and what is an error."""

import inspect
import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.program.utils import get_program_for_llm
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate, SelectorPromptTemplate
from llama_index.core.prompts.utils import is_chat_model
from llama_index.core.types import PydanticProgramMode
from llama_index_vllm import StructuredOutputError, VllmLLM
from pydantic import BaseModel
from vllm_connect import ConstraintError

from tests.llamaindex.conftest import Connect, Serve
from tests.llamaindex.fake_vllm import Answer


class Street(BaseModel):
    """A street."""

    name: str
    number: int = 1


class City(BaseModel):
    """A city."""

    name: str
    streets: list[Street] = []


TEXT = '{"name": "Oslo", "streets": [{"name": "Karl", "number": 7}, {"name": "Ring"}]}'
OSLO = City.model_validate_json(TEXT)
PROMPT = PromptTemplate("Describe {name}.")

BY_SCHEMA = [PydanticProgramMode.DEFAULT, PydanticProgramMode.LM_FORMAT_ENFORCER]
BY_TOOL = [PydanticProgramMode.FUNCTION, PydanticProgramMode.OPENAI]

WAYS = ["structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict"]
every_way = pytest.mark.parametrize("way", WAYS)
every_mode = pytest.mark.parametrize("mode", [*BY_SCHEMA, *BY_TOOL, PydanticProgramMode.LLM])


def answer_for(mode: PydanticProgramMode, text: str = TEXT, **more: Any) -> Answer:
    return Answer(calls=[("City", text)], **more) if mode in BY_TOOL else Answer(text, **more)


async def predict(llm: VllmLLM, way: str, *args: Any, **kwargs: Any) -> list[Any]:
    """Predict in one of the four ways; return all objects."""
    given: Any = getattr(llm, way)(City, *(args or (PROMPT,)), **{"name": "Oslo", **kwargs})
    if inspect.iscoroutine(given):
        given = await given
    if isinstance(given, BaseModel):
        return [given]
    if inspect.isasyncgen(given):
        return [each async for each in given]
    return list(given)


@every_way
@every_mode
async def test_every_mode_returns_the_object(
    way: str, mode: PydanticProgramMode, serve: Serve, connect: Connect
) -> None:
    llm = connect(serve(answer_for(mode)), pydantic_program_mode=mode)
    assert (await predict(llm, way))[-1] == OSLO


@every_way
@pytest.mark.parametrize("mode", BY_SCHEMA)
async def test_the_schema_is_enforced_by_the_server(
    way: str, mode: PydanticProgramMode, serve: Serve, connect: Connect
) -> None:
    server = serve(answer_for(mode))
    await predict(connect(server, pydantic_program_mode=mode, is_function_calling_model=False), way)
    body = server.bodies[0]
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "City", "schema": City.model_json_schema(), "strict": True},
    }
    assert not {"tools", "tool_choice"} & body.keys()
    assert server.paths == ["/v1/chat/completions"]


@every_way
@pytest.mark.parametrize("mode", BY_TOOL)
async def test_the_tool_is_required(way: str, mode: PydanticProgramMode, serve: Serve, connect: Connect) -> None:
    server = serve(answer_for(mode))
    await predict(connect(server, pydantic_program_mode=mode), way)
    body = server.bodies[0]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["City"]
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    assert "response_format" not in body


@every_way
@every_mode
async def test_the_system_prompt_is_kept(way: str, mode: PydanticProgramMode, serve: Serve, connect: Connect) -> None:
    server = serve(answer_for(mode))
    await predict(connect(server, pydantic_program_mode=mode, system_prompt="Be brief."), way)
    first, second = server.bodies[0]["messages"]
    assert first == {"role": "system", "content": "Be brief."}
    assert second["content"].startswith("Describe Oslo.")


@every_way
@every_mode
async def test_arguments_are_passed_on_and_not_changed(
    way: str, mode: PydanticProgramMode, serve: Serve, connect: Connect
) -> None:
    server = serve(answer_for(mode))
    llm_kwargs: dict[str, Any] = {"seed": 3}
    if mode != PydanticProgramMode.LLM:
        llm_kwargs.update(tool_required=False, tool_choice="none", allow_parallel_tool_calls=True)
    before = dict(llm_kwargs)
    await predict(connect(server, pydantic_program_mode=mode), way, llm_kwargs=llm_kwargs)
    assert server.bodies[0]["seed"] == 3
    assert llm_kwargs == before
    assert PROMPT.output_parser is None


@every_way
async def test_the_prompt_is_chosen_for_this_model(way: str, serve: Serve, connect: Connect) -> None:
    server = serve(Answer(TEXT))
    chat = ChatPromptTemplate([ChatMessage("Chat about {name}.", role="system")])
    prompt = SelectorPromptTemplate(default_template=PROMPT, conditionals=[(is_chat_model, chat)])
    await predict(connect(server), way, prompt)
    assert server.bodies[0]["messages"] == [{"role": "system", "content": "Chat about Oslo."}]
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("way", WAYS[2:])
@pytest.mark.parametrize("mode", [*BY_SCHEMA, *BY_TOOL])
async def test_a_stream_yields_partial_objects(
    way: str, mode: PydanticProgramMode, serve: Serve, connect: Connect
) -> None:
    llm = connect(serve(answer_for(mode, pause=0.02)), pydantic_program_mode=mode)
    *partials, last = await predict(llm, way)
    assert last == OSLO
    names = [partial.name for partial in partials if partial.name is not None]
    assert len(names) > 1
    assert all("Oslo".startswith(name) for name in names)
    streets = [len(partial.streets or ()) for partial in partials]
    assert streets == sorted(streets)


@every_way
async def test_the_schema_replaces_a_constraint_of_the_model(way: str, serve: Serve, connect: Connect) -> None:
    server = serve(Answer(TEXT))
    await predict(connect(server, structured_outputs={"regex": "a+"}), way)
    assert "structured_outputs" not in server.bodies[0]


PROBLEMS = [
    (Answer(TEXT[:20], finish="length"), "truncated", "truncated"),
    (Answer("", reasoning="Let me think", finish="length"), "truncated", "max_tokens"),
    (Answer(""), "empty", "empty"),
    (Answer("", reasoning=TEXT), "empty", "all of it is reasoning"),
    (Answer("Oslo is nice."), "schema", "Invalid JSON"),
    (Answer('{"streets": []}'), "schema", "name: Field required"),
    (Answer('{"name": 1}'), "schema", "name"),
]
TOOL_PROBLEMS = [
    (Answer(calls=[("City", TEXT[:20])], finish="length"), "truncated", "truncated"),
    (Answer(calls=[("City", '{"name": oops')]), "schema", "not valid JSON"),
    (Answer(calls=[("City", '{"streets": []}')]), "schema", "name"),
    (Answer("No tool for me."), "schema", "Invalid JSON"),
    (Answer(""), "empty", "empty"),
]


@every_way
@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        *((PydanticProgramMode.DEFAULT, problem) for problem in PROBLEMS),
        *((PydanticProgramMode.FUNCTION, problem) for problem in TOOL_PROBLEMS),
    ],
)
async def test_an_answer_that_does_not_match_is_an_error(
    way: str, mode: PydanticProgramMode, problem: tuple[Answer, str, str], serve: Serve, connect: Connect
) -> None:
    answer, code, words = problem
    with pytest.raises(StructuredOutputError, match=words) as caught:
        await predict(connect(serve(answer), pydantic_program_mode=mode), way)
    assert caught.value.code == code
    assert isinstance(caught.value, ConstraintError)
    assert isinstance(caught.value, ValueError)
    assert "Oslo" not in str(caught.value)


@every_way
async def test_a_code_fence_around_the_answer_is_removed(way: str, serve: Serve, connect: Connect) -> None:
    assert (await predict(connect(serve(Answer(f"```json\n{TEXT}\n```"))), way))[-1] == OSLO


async def test_a_complete_object_at_the_token_limit_is_valid(serve: Serve, connect: Connect) -> None:
    assert connect(serve(Answer(TEXT, finish="length"))).structured_predict(City, PROMPT, name="Oslo") == OSLO


async def test_llm_kwargs_of_streams_are_optional(serve: Serve, connect: Connect) -> None:
    for mode in PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION:
        llm = connect(serve(answer_for(mode)), pydantic_program_mode=mode)
        assert list(llm._structured_stream_call(City, PROMPT, None, name="Oslo"))[-1] == OSLO
        stream = await llm._structured_astream_call(City, PROMPT, None, name="Oslo")
        assert [each async for each in stream][-1] == OSLO


async def test_a_structured_llm_answers_in_objects(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer(TEXT))).as_structured_llm(City)
    messages = [ChatMessage("Describe Oslo.")]
    responses = [llm.chat(messages), await llm.achat(messages)]
    responses += [list(llm.stream_chat(messages))[-1], [each async for each in await llm.astream_chat(messages)][-1]]
    assert [response.raw for response in responses] == [OSLO] * 4
    assert all(json.loads(response.message.content or "") == OSLO.model_dump() for response in responses)
    assert (llm.complete("Oslo").raw, (await llm.acomplete("Oslo")).raw) == (OSLO, OSLO)


@pytest.mark.parametrize("mode", [PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION, PydanticProgramMode.LLM])
async def test_llama_index_s_own_programs_work(mode: PydanticProgramMode, serve: Serve, connect: Connect) -> None:
    by_tool = mode != PydanticProgramMode.LLM
    # in one piece: of several, LlamaIndex keeps an incomplete object whose defaults it counts as fields
    llm = connect(serve(answer_for(PydanticProgramMode.FUNCTION if by_tool else mode, piece=400)))
    program = get_program_for_llm(City, PROMPT, llm, pydantic_program_mode=mode)
    assert isinstance(program, FunctionCallingProgram if by_tool else LLMTextCompletionProgram)
    assert program(name="Oslo") == OSLO
    assert await program.acall(name="Oslo") == OSLO
    assert list(program.stream_call(name="Oslo"))[-1] == OSLO
    assert [each async for each in await program.astream_call(name="Oslo")][-1] == OSLO
