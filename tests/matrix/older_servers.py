"""Servers of older versions, as their documentation describes them: what they understand, and how they answer.

A constraint that a version does not know is ignored with a 200, as it is by the real ones: the answer is prose then.

| | 0.8.5 | 0.10.2 | 0.11.0 | 0.14.0 | 0.22.0 |
|---|---|---|---|---|---|
| constraints | `guided_*` | `guided_*` | both | `structured_outputs` | `structured_outputs` |
| reasoning | `reasoning_content` | `reasoning_content` | `reasoning_content` | both | `reasoning` |
| finish of a named call | `stop` | `stop` | `stop` | `stop` | `tool_calls` |
"""

import json
from typing import Any

from vllm_connect.testing import Answer, Asked, LoopbackServer

__all__ = ["VERSIONS", "older_server"]

VERSIONS = ["0.8.5", "0.10.2", "0.11.0", "0.14.0", "0.22.0"]
GUIDED = {"guided_json": "json", "guided_regex": "regex", "guided_choice": "choice", "guided_grammar": "grammar"}
WORDS = {
    "json_object": "{}",
    "regex": "12-34",
    "choice": "yes",
    "grammar": "up",
}
THOUGHT = "I should think about this."


def older_server(version: str) -> LoopbackServer:
    """Create a server.

    Args:
        version: One of `VERSIONS`.
    """
    number = tuple(int(part) for part in version.split("."))

    def answer(asked: Asked) -> Answer | None:
        if asked.path == "/version":
            return Answer.json({"version": version})
        if asked.path == "/v1/models":
            return Answer.json({"object": "list", "data": [{"id": "demo", "object": "model", "max_model_len": 4096}]})
        if asked.path != "/v1/chat/completions":
            return None
        body = asked.body
        message, finish = _message(body, number)
        return (
            Answer.events(_chunks(message, finish, body))
            if body.get("stream")
            else Answer.json(_whole(message, finish))
        )

    return LoopbackServer(answer)


def _constraint(body: dict[str, Any], number: tuple[int, ...]) -> dict[str, Any]:
    """Read the constraint as far as the version understands it."""
    wanted: dict[str, Any] = {}
    if number >= (0, 11):
        wanted.update(body.get("structured_outputs") or {})
    if number < (0, 12):
        wanted.update((GUIDED[name], value) for name, value in body.items() if name in GUIDED)
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        wanted["json"] = form["json_schema"]["schema"]
    elif form.get("type") == "json_object":
        wanted["json_object"] = True
    return wanted


def _message(body: dict[str, Any], number: tuple[int, ...]) -> tuple[dict[str, Any], str]:
    wanted, finish, choice = _constraint(body, number), "stop", body.get("tool_choice")
    content, calls = "Hello! How can I help you today?", []
    forced = choice == "required" or isinstance(choice, dict)
    if body.get("tools") and (
        forced or (choice != "none" and not wanted and "weather" in body["messages"][-1]["content"])
    ):
        content = ""
        calls = [
            {
                "id": "chatcmpl-tool-1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
            }
        ]
        finish = "tool_calls" if number >= (0, 22) or not forced else "stop"
    elif "json" in wanted:
        properties = wanted["json"]["properties"]
        content = json.dumps({name: (schema.get("enum") or ["Alice"])[0] for name, schema in properties.items()})
    else:
        content = next((word for kind, word in WORDS.items() if kind in wanted), content)
    thinks = (body.get("chat_template_kwargs") or {}).get("enable_thinking", True)
    names = ["reasoning_content"] if number < (0, 12) else ["reasoning", "reasoning_content"]
    names = ["reasoning"] if number >= (0, 16) else names
    reasoning = dict.fromkeys(names, THOUGHT if thinks else None)
    return {"role": "assistant", "content": content or None, "tool_calls": calls, **reasoning}, finish


HEAD: dict[str, Any] = {"id": "chatcmpl-1", "created": 1745000000, "model": "demo"}
USAGE: dict[str, Any] = {"prompt_tokens": 9, "total_tokens": 20, "completion_tokens": 11, "prompt_tokens_details": None}


def _whole(message: dict[str, Any], finish: str) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish, "stop_reason": None}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE, "prompt_logprobs": None}


def _chunks(message: dict[str, Any], finish: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    reasoning = {name: message[name] for name in ("reasoning", "reasoning_content") if message.get(name)}
    deltas += [reasoning] if reasoning else []
    text = message["content"] or ""
    deltas += [{"content": text[at : at + 4]} for at in range(0, len(text), 4)]
    for index, call in enumerate(message["tool_calls"]):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        deltas.append({"tool_calls": [{**call, "index": index, "function": {"name": name}}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + 5]}}]}
            for at in range(0, len(arguments), 5)
        ]
    chunks: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas
    ]
    chunks.append(
        {"index": 0, "delta": {"content": ""}, "logprobs": None, "finish_reason": finish, "stop_reason": None}
    )
    head = {**HEAD, "object": "chat.completion.chunk"}
    events = [{**head, "choices": [chunk]} for chunk in chunks]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append({**head, "choices": [], "usage": USAGE})
    return events
