"""Every setting and every argument of a call, with a value, and what each framework sends for it.

The names and the types come from the fields of the models, so a new field is tried without an entry here. `VALUES` has
the fields whose value cannot be derived from their type.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_vllm import ChatVllm
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock
from llama_index_vllm import VllmLLM
from vllm_connect import VllmError
from vllm_connect.adapters import CALL_ARGUMENTS, AdapterModel
from vllm_connect.testing import Answer, Asked, LoopbackServer

__all__ = ["ARGUMENTS", "BESIDE", "SETTINGS", "WAYS", "Outcome", "answer", "outcome", "value_of"]

TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
VALUES: dict[str, Any] = {
    "base_url": "/v1",  # appended to the server's URL
    "chat_template_kwargs": {"enable_thinking": False},
    "client_cert": "/nonexistent.pem",
    "extra_headers": {"X-A": "b"},
    "logprob_token_ids": [1],
    "message_policy": {"alternate": True},
    "proxy": "http://127.0.0.1:9",
    "reasoning_parser": "qwen3",
    "response_format": {"type": "json_object"},
    "stream_options": {"include_usage": False},
    "structured_outputs": {"choice": ["Hi"]},
    "tool_choice": "add",
    "tool_parser": "hermes",
    "tools": [TOOL],
    "top_logprobs": 1,
}
"""Values of fields for which the type is not enough."""

BESIDE: dict[str, dict[str, Any]] = {
    "logprob_token_ids": {"logprobs": True},
    "parallel_tool_calls": {"tools": [TOOL]},
    "tool_choice": {"tools": [TOOL], "check_constraints": False},
    "top_logprobs": {"logprobs": True},
}
"""Arguments of the call without which a field is refused or not sent."""

NOT_SENT = {"http_client", "http_async_client"}
"""Fields for objects of the caller."""

SETTINGS = sorted(set(AdapterModel.model_fields) - NOT_SENT)
ARGUMENTS = sorted(CALL_ARGUMENTS)


def value_of(name: str) -> Any:
    """Return a value of a setting or an argument, which is not its default."""
    if name in VALUES:
        return VALUES[name]
    schema = _schema()
    return _value(schema["properties"][name], schema["$defs"], AdapterModel.model_fields[name].default)


@cache
def _schema() -> dict[str, Any]:
    return AdapterModel.model_json_schema()


def _value(schema: Mapping[str, Any], definitions: Mapping[str, Any], default: Any) -> Any:
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions, default)
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return _value(next((kind for kind in kinds if kind.get("type") == "number"), kinds[0]), definitions, default)
    if "enum" in schema:
        return next(value for value in schema["enum"] if value not in (default, "none"))
    kind = schema.get("type", "string")
    if kind == "boolean":
        return default is not True
    if kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        return min(max(least, 0) + 1, schema.get("maximum", 9))
    if kind == "array":
        return [_value(schema.get("items", {}), definitions, None)]
    return {"x": "y"} if kind == "object" else "x"


class Outcome(NamedTuple):
    """What became of a call.

    Attributes:
        sent: The path, body and own headers of each request.
        error: The class and the message of the error, without its details in parentheses, if there was one.
    """

    sent: list[tuple[str, Any, dict[str, str]]]
    error: tuple[str, str] | None


LANGCHAIN_MESSAGES: list[BaseMessage] = [
    HumanMessage("1"),
    AIMessage("2", additional_kwargs={"reasoning_content": "Hm."}),
    HumanMessage("3"),
]
LLAMAINDEX_MESSAGES = [
    ChatMessage("1"),
    ChatMessage(role="assistant", blocks=[ThinkingBlock(content="Hm."), TextBlock(text="2")]),
    ChatMessage("3"),
]


def langchain(model: ChatVllm, arguments: Mapping[str, Any], *, stream: bool) -> None:
    if stream:
        list(model.stream(LANGCHAIN_MESSAGES, **arguments))
    else:
        model.invoke(LANGCHAIN_MESSAGES, **arguments)


async def langchain_async(model: ChatVllm, arguments: Mapping[str, Any], *, stream: bool) -> None:
    if stream:
        async for _ in model.astream(LANGCHAIN_MESSAGES, **arguments):
            pass
    else:
        await model.ainvoke(LANGCHAIN_MESSAGES, **arguments)


def llamaindex(llm: VllmLLM, arguments: Mapping[str, Any], *, stream: bool) -> None:
    if stream:
        list(llm.stream_chat(LLAMAINDEX_MESSAGES, **arguments))
    else:
        llm.chat(LLAMAINDEX_MESSAGES, **arguments)


async def llamaindex_async(llm: VllmLLM, arguments: Mapping[str, Any], *, stream: bool) -> None:
    if stream:
        async for _ in await llm.astream_chat(LLAMAINDEX_MESSAGES, **arguments):
            pass
    else:
        await llm.achat(LLAMAINDEX_MESSAGES, **arguments)


class Way(NamedTuple):
    """A framework, blocking or not."""

    model_class: type[ChatVllm | VllmLLM]
    call: Callable[..., Any]

    async def run(self, settings: Mapping[str, Any], arguments: Mapping[str, Any], *, stream: bool) -> None:
        """Call a new model."""
        async with self.model_class(**settings) as model:
            called = self.call(model, arguments, stream=stream)
            if inspect.isawaitable(called):
                await called


WAYS = {
    "LangChain": Way(ChatVllm, langchain),
    "LlamaIndex": Way(VllmLLM, llamaindex),
    "LangChain, async": Way(ChatVllm, langchain_async),
    "LlamaIndex, async": Way(VllmLLM, llamaindex_async),
}

END = {"delta": {}, "message": {"content": "Hi"}, "index": 0, "finish_reason": "stop"}


def answer(asked: Asked) -> Answer:
    if asked.path == "/v1/models":
        return Answer.json({"data": [{"id": "demo", "max_model_len": 4096}]})
    if asked.path == "/version":
        return Answer.json({"version": "0.32.0"})
    if not (asked.body or {}).get("stream"):
        return Answer.json({"choices": [END], "tokens": [1], "count": 1, "prompt": "Hi"})
    return Answer.events([{"choices": [{"index": 0, "delta": {"content": "Hi"}}]}, {"choices": [END]}])


HEADERS_OF_HTTP = {"accept-encoding", "connection", "content-length", "host", "x-request-id"}


async def outcome(
    server: LoopbackServer, way: str, settings: Mapping[str, Any], arguments: Mapping[str, Any], *, stream: bool
) -> Outcome:
    """Call a new model, and return what was sent and raised.

    Args:
        server: A server that gives `answer`.
        way: One of `WAYS`.
        settings: The settings of the model; a `base_url` is appended to the server's.
        arguments: The arguments of the call, likewise.
        stream: Ask for a stream.
    """
    error = None
    server.exchanges.clear()
    complete = [
        {**given, "base_url": server.url + given["base_url"]} if given.get("base_url") else dict(given)
        for given in ({"base_url": "/", "model": "demo", **settings}, arguments)
    ]
    try:
        await WAYS[way].run(*complete, stream=stream)
    except VllmError as raised:
        error = (type(raised).__name__, raised.message.partition(" (")[0])
    sent = [
        (asked.path, asked.body, {k: v for k, v in asked.headers.items() if k not in HEADERS_OF_HTTP})
        for asked in server.asked
    ]
    return Outcome(sent, error)
