"""Tools: what is sent of them, and which calls of an answer may be run."""

import inspect
import pickle
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.tools import FunctionTool
from llama_index_vllm import ToolCallArgumentsError, VllmLLM
from llama_index_vllm.tools import to_wire_tool
from pydantic import BaseModel
from vllm_connect import ConfigurationError, ConstraintError, VllmError

from tests.llamaindex.conftest import Connect, Serve
from tests.llamaindex.fake_vllm import Answer, chunk
from tests.llamaindex.ways import user


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


def now() -> str:
    """Return the time."""
    return "noon"


ADD = FunctionTool.from_defaults(add)
NOW = FunctionTool.from_defaults(now)
ODD = FunctionTool.from_defaults(add, name="add [int]")
ADD_WIRE = ADD.metadata.to_openai_tool()

WAYS = ["chat_with_tools", "achat_with_tools", "stream_chat_with_tools", "astream_chat_with_tools"]
every_way = pytest.mark.parametrize("way", WAYS)
streams = pytest.mark.parametrize("way", WAYS[2:])


async def ask(llm: VllmLLM, way: str, tools: list[Any], **kwargs: Any) -> list[ChatResponse]:
    """Ask in one of the four ways; return all responses."""
    given: Any = getattr(llm, way)(tools, **{"user_msg": "Hi", **kwargs})
    if inspect.iscoroutine(given):
        given = await given
    if inspect.isasyncgen(given):
        given = [response async for response in given]
    return [given] if isinstance(given, ChatResponse) else list(given)


@every_way
async def test_tools_are_sent(way: str, serve: Serve, connect: Connect) -> None:
    server = serve()
    await ask(connect(server), way, [ADD])
    body = server.bodies[0]
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == ([ADD_WIRE], "auto", False)
    assert "strict" not in body["tools"][0]["function"]


@every_way
async def test_without_tools_nothing_about_tools_is_sent(way: str, serve: Serve, connect: Connect) -> None:
    server = serve()
    await ask(connect(server), way, [], tool_choice="auto", tool_required=True, allow_parallel_tool_calls=True)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & server.bodies[0].keys()


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, "auto"),
        ({"tool_choice": None}, "auto"),
        ({"tool_required": True}, "required"),
        ({"tool_choice": None, "tool_required": True}, "required"),
        ({"tool_choice": "none", "tool_required": True}, "none"),
        ({"tool_choice": "auto", "tool_required": True}, "auto"),
        ({"tool_choice": "required"}, "required"),
        ({"tool_choice": "any"}, "required"),
        ({"tool_choice": "add"}, {"type": "function", "function": {"name": "add"}}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "add"}}},
            {"type": "function", "function": {"name": "add"}},
        ),
    ],
)
def test_a_tool_choice_is_sent_in_vllm_s_format(
    asked: dict[str, Any], sent: object, serve: Serve, connect: Connect
) -> None:
    server = serve()
    connect(server).chat_with_tools([ADD], user_msg="Hi", check_constraints=False, **asked)
    assert server.bodies[0]["tool_choice"] == sent


NOT_ENFORCED = [
    ("required", Answer("Prose.")),
    ("add", Answer("Prose.")),
    ("add", Answer(calls=[("now", "{}")])),
    ("required", Answer(calls=[("add", '{"a": 1, oops')])),
]
ENFORCED = [
    ("add", Answer(calls=[("add", '{"a": 1, "b": 2}')], finish="stop")),
    ("required", Answer(calls=[("now", "{}")])),
    ("add", Answer(calls=[("add", '{"b": 1}')], finish="stop")),
    ("auto", Answer("Prose.")),
    ("none", Answer("Prose.")),
]


@every_way
@pytest.mark.parametrize(("choice", "answer"), NOT_ENFORCED)
async def test_a_tool_choice_that_was_not_enforced_is_an_error(
    way: str, choice: str, answer: Answer, serve: Serve, connect: Connect
) -> None:
    llm = connect(serve(answer))
    with pytest.raises(ConstraintError, match="did not enforce") as caught:
        await ask(llm, way, [ADD, NOW], tool_choice=choice)
    assert caught.value.partial is not None
    assert caught.value.partial.text == answer.text


@every_way
async def test_a_truncated_answer_to_a_tool_choice_is_an_error(way: str, serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer("Pro", finish="length")))
    with pytest.raises(ConstraintError, match="max_tokens") as caught:
        await ask(llm, way, [ADD, NOW], tool_choice="required")
    assert caught.value.code == "truncated"


@every_way
@pytest.mark.parametrize(("choice", "answer"), ENFORCED)
async def test_a_tool_choice_that_was_enforced_is_an_answer(
    way: str, choice: str, answer: Answer, serve: Serve, connect: Connect
) -> None:
    responses = await ask(connect(serve(answer)), way, [ADD, NOW], tool_choice=choice)
    assert (responses[-1].message.content or "") == answer.text


@every_way
async def test_the_check_of_a_tool_choice_can_be_disabled(way: str, serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer("Prose.")), check_constraints=False)
    assert (await ask(llm, way, [ADD], tool_choice="add"))[-1].message.content == "Prose."


def test_a_choice_of_an_unknown_tool_is_refused(serve: Serve, connect: Connect) -> None:
    server = serve()
    with pytest.raises(ConfigurationError, match="'sub', which is not bound: the tools are add"):
        connect(server).chat_with_tools([ADD], user_msg="Hi", tool_choice="sub")
    assert server.requests == []


@pytest.mark.parametrize(
    ("own", "asked", "sent"), [(True, {}, True), (False, {"strict": True}, True), (True, {"strict": False}, None)]
)
def test_strict_is_sent_only_if_true(
    own: bool, asked: dict[str, Any], sent: bool | None, serve: Serve, connect: Connect
) -> None:
    server = serve()
    connect(server, strict=own).chat_with_tools([ADD], user_msg="Hi", **asked)
    assert server.bodies[0]["tools"][0]["function"].get("strict") is sent


def test_a_history_is_not_changed(serve: Serve, connect: Connect) -> None:
    server = serve()
    history = user("before")
    connect(server).chat_with_tools([ADD], user_msg=ChatMessage("now"), chat_history=history)
    assert [message.content for message in history] == ["before"]
    assert [message["content"] for message in server.bodies[0]["messages"]] == ["before", "now"]


def test_the_parameters_are_those_that_llama_index_inspects() -> None:
    parameters = inspect.signature(VllmLLM._prepare_chat_with_tools).parameters
    own = inspect.signature(FunctionCallingLLM._prepare_chat_with_tools).parameters
    assert list(own) == [name for name in parameters if name in own]
    assert parameters["tool_required"].default is False
    assert parameters["tool_choice"].default is None


class Node(BaseModel):
    value: int
    next: "Node | None" = None


def test_the_fields_of_a_recursive_class_are_sent() -> None:
    parameters = to_wire_tool(get_function_tool(Node))["function"]["parameters"]
    assert parameters["required"] == ["value"]
    assert parameters["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Node"}
    assert parameters["$defs"]["Node"]["properties"] == parameters["properties"]


def test_chat_accepts_tools_in_openai_s_format(serve: Serve, connect: Connect) -> None:
    server = serve()
    llm = connect(server)
    for tools in ([ADD], [ADD_WIRE]):
        llm.chat(user(), tools=tools)
    assert [body["tools"] for body in server.bodies] == [[ADD_WIRE], [ADD_WIRE]]


@every_way
async def test_valid_calls_are_returned(way: str, serve: Serve, connect: Connect) -> None:
    server = serve(Answer(reasoning="Sum.", calls=[("add", '{"a": 1, "b": 2}'), ("now", "")]))
    llm = connect(server)
    last = (await ask(llm, way, [ADD, NOW], allow_parallel_tool_calls=True))[-1]
    calls = [(call.tool_id, call.tool_name, call.tool_kwargs) for call in llm.get_tool_calls_from_response(last)]
    assert calls == [("call_0", "add", {"a": 1, "b": 2}), ("call_1", "now", {})]


@every_way
async def test_only_the_first_call_is_kept_without_parallel_calls(way: str, serve: Serve, connect: Connect) -> None:
    server = serve(Answer(calls=[("add", '{"a": 1}'), ("add", '{"a": 2}')]))
    llm = connect(server)
    for response in await ask(llm, way, [ADD]):
        assert sum(isinstance(block, ToolCallBlock) for block in response.message.blocks) <= 1
        assert len(response.message.additional_kwargs.get("tool_calls", [])) <= 1
    assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(response)] == [{"a": 1}]


def test_only_the_first_call_is_kept_of_a_response_of_another_integration() -> None:
    blocks = [ToolCallBlock(tool_call_id=name, tool_name="add") for name in ("a", "b")]
    mirror = [{"id": name} for name in ("a", "b")]
    message = ChatMessage(role="assistant", blocks=blocks, additional_kwargs={"tool_calls": mirror})
    response = VllmLLM()._validate_chat_with_tools_response(ChatResponse(message=message), [ADD])
    assert response.message.blocks == blocks[:1]
    assert response.message.additional_kwargs == {"tool_calls": mirror[:1]}


@every_way
async def test_a_tool_name_that_openai_does_not_allow_is_translated_back(
    way: str, serve: Serve, connect: Connect
) -> None:
    server = serve(Answer(calls=[("add__int_", '{"a": 1}')]))
    llm = connect(server)
    last = (await ask(llm, way, [ODD], tool_choice="add [int]"))[-1]
    assert server.bodies[0]["tool_choice"]["function"]["name"] == "add__int_"
    assert [call.tool_name for call in llm.get_tool_calls_from_response(last)] == ["add [int]"]
    await ask(llm, way, [ODD], chat_history=[*user(), last.message])
    assert server.bodies[1]["messages"][1]["tool_calls"][0]["function"]["name"] == "add__int_"


def test_two_tools_of_one_name_are_refused(serve: Serve, connect: Connect) -> None:
    other = FunctionTool.from_defaults(add, name="add <int>")
    with pytest.raises(ConfigurationError, match="same name"):
        connect(serve()).chat_with_tools([ODD, other], user_msg="Hi")


def test_predict_and_call_runs_the_tool(serve: Serve, connect: Connect) -> None:
    server = serve(Answer(calls=[("add", '{"a": 1, "b": 2}'), ("add", '{"a": 5}')]))
    llm = connect(server)
    assert llm.predict_and_call([ADD], user_msg="Hi").response == "3"
    assert llm.predict_and_call([ADD], user_msg="Hi", allow_parallel_tool_calls=True).response == "3\n\n5"


async def test_apredict_and_call_runs_the_tool(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer(calls=[("add", '{"a": 1, "b": 2}')])))
    assert (await llm.apredict_and_call([ADD], user_msg="Hi")).response == "3"


def test_a_missing_call_is_an_error_if_requested(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer("Hello")))
    response = llm.chat_with_tools([ADD], user_msg="Hi")
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="at least one tool call"):
        llm.get_tool_calls_from_response(response)


BROKEN = [
    ('{"a": 7, "b', "length"),
    ('{"a": 7}', "length"),
    ('{"a": 7, "b', "tool_calls"),
    ('{"a": 1, oops', "tool_calls"),
    ('{"a": 1}{"a": 2}', "tool_calls"),
    ('{"a": 1, "a": 2}', "tool_calls"),
    ('{"a": NaN}', "tool_calls"),
    ("[1]", "tool_calls"),
    ('"{}"', "tool_calls"),
    ("1", "tool_calls"),
    ("[" * 10_000, "tool_calls"),
    ("", "tool_calls"),  # a is required
    ("null", "tool_calls"),
]


@every_way
@pytest.mark.parametrize(("arguments", "finish"), BROKEN)
async def test_a_broken_call_is_never_run(
    way: str, arguments: str, finish: str, serve: Serve, connect: Connect
) -> None:
    llm = connect(serve(Answer(calls=[("add", arguments)], finish=finish, piece=400)))
    last = (await ask(llm, way, [ADD]))[-1]
    with pytest.raises(ToolCallArgumentsError, match="add: ") as caught:
        llm.get_tool_calls_from_response(last, error_on_no_tool_call=False)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, VllmError)
    assert caught.value.calls[0].arguments == arguments
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (copy.args, copy.calls) == (caught.value.args, caught.value.calls)


@streams
async def test_every_prefix_of_a_call_can_be_shown(way: str, serve: Serve, connect: Connect) -> None:
    text = '{"a": 12, "b": [true, {"c": "d\\u00e9"}]}'
    llm = connect(serve(Answer(calls=[("add", text)], piece=1, pause=0.001)))
    responses = await ask(llm, way, [ADD])
    for response in responses:
        shown = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        assert len(shown) <= 1
    assert shown[0].tool_kwargs == {"a": 12, "b": [True, {"c": "dé"}]}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (ChatMessage(blocks=[ToolCallBlock(tool_name="add", tool_kwargs='{"a": 1}')]), {"a": 1}),
        (ChatMessage(blocks=[ToolCallBlock(tool_name="add", tool_kwargs={"a": 1})]), {"a": 1}),
        (ChatMessage(blocks=[ToolCallBlock(tool_name="add", tool_kwargs="")]), {}),
        (
            ChatMessage(
                additional_kwargs={"tool_calls": [{"id": "x", "function": {"name": "add", "arguments": '{"a": 1}'}}]}
            ),
            {"a": 1},
        ),
    ],
)
def test_calls_of_other_integrations_are_read(response: ChatMessage, expected: dict[str, Any]) -> None:
    (call,) = VllmLLM().get_tool_calls_from_response(ChatResponse(message=response))
    assert (call.tool_name, call.tool_kwargs) == ("add", expected)
    assert call.tool_id in {"x", "call_0"}


def test_a_complete_answer_of_another_integration_is_parsed_strictly() -> None:
    message = ChatMessage(blocks=[ToolCallBlock(tool_name="add", tool_kwargs='{"a": 1')])
    llm = VllmLLM()
    with pytest.raises(ToolCallArgumentsError):
        llm.get_tool_calls_from_response(ChatResponse(message=message))
    (so_far,) = llm.get_tool_calls_from_response(ChatResponse(message=message, delta=""))
    assert so_far.tool_kwargs == {"a": 1}


@streams
async def test_calls_that_arrive_together_are_both_kept(way: str, serve: Serve, connect: Connect) -> None:
    both = [
        {
            "index": index,
            "id": f"c{index}",
            "type": "function",
            "function": {"name": "add", "arguments": f'{{"a": {index}}}'},
        }
        for index in (0, 1)
    ]
    server = serve(Answer(events=[chunk(tool_calls=both), chunk("tool_calls")]))
    llm = connect(server)
    last = (await ask(llm, way, [ADD], allow_parallel_tool_calls=True))[-1]
    assert [call.tool_kwargs for call in llm.get_tool_calls_from_response(last)] == [{"a": 0}, {"a": 1}]


@streams
async def test_interleaved_arguments_find_their_call(way: str, serve: Serve, connect: Connect) -> None:
    def piece(index: int, arguments: str, **first: Any) -> dict[str, Any]:
        name = {"name": "add"} if first else {}
        return chunk(tool_calls=[{"index": index, "function": {**name, "arguments": arguments}, **first}])

    events = [
        piece(0, '{"a"', id="c0", type="function"),
        piece(1, '{"a"', id="c1", type="function"),
        piece(0, ": 1}"),
        piece(1, ": 2}"),
        chunk("tool_calls"),
    ]
    llm = connect(serve(Answer(events=events)))
    last = (await ask(llm, way, [ADD], allow_parallel_tool_calls=True))[-1]
    calls = [(call.tool_id, call.tool_kwargs) for call in llm.get_tool_calls_from_response(last)]
    assert calls == [("c0", {"a": 1}), ("c1", {"a": 2})]


def test_an_unknown_tool_is_passed_on(serve: Serve, connect: Connect) -> None:
    llm = connect(serve(Answer(calls=[("unknown", "{}")])))
    response = llm.chat_with_tools([ADD], user_msg="Hi")
    assert [call.tool_name for call in llm.get_tool_calls_from_response(response)] == ["unknown"]
