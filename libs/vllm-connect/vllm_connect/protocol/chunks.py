r"""Chat completions, whole or in chunks: the only reader of the server's response format.

`{"choices":[{"index":0,"delta":{"content":"Hel"}}]}` is `TextDelta("Hel")`. A response and a chunk differ in the name
of one field, `message` or `delta`; both are read here into the same deltas. Source: ChatCompletionResponse and
ChatCompletionStreamResponse (openai/chat_completion/protocol.py, vLLM 0.8.5 to 0.33.0).

Servers and proxies differ in some things, and all variants are read: reasoning as `reasoning` or
`reasoning_content`, content as text or parts, arguments as text or an object, a tool call without index, without id,
with its name or id repeated or in pieces, usage in three dialects.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from vllm_connect.errors import ProtocolError
from vllm_connect.protocol.tool_calls import CallFragment, CallReader
from vllm_connect.response.deltas import (
    Delta,
    Finish,
    Logprobs,
    Metadata,
    ReasoningDelta,
    TextDelta,
    Usage,
    UsageReport,
)
from vllm_connect.response.metadata import ON_REQUEST, OPENING

__all__ = ["ChunkReader", "ServerError", "read_usage"]


class ServerError(Exception):
    """The server sent an error in place of an answer; `body` is its JSON object."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__("the server reports an error")
        self.body = body


class _Message(Struct, gc=False):
    content: str | list[Any] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[CallFragment] | None = None
    function_call: CallFragment | None = None


class _ChoiceLogprobs(Struct):
    content: list[dict[str, Any]] | None = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    logprobs: _ChoiceLogprobs | None = None
    token_ids: list[int] | None = None


class _Response(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    prompt_logprobs: Any = None
    prompt_token_ids: list[int] | None = None
    prompt_text: str | None = None
    kv_transfer_params: Any = None
    ec_transfer_params: Any = None
    metrics: Any = None
    error: Any = None
    object: str | None = None


_DECODE = msgspec.json.Decoder(_Response).decode

CUT = frozenset({"abort", "error"})
"""Finish reasons of an answer that the server aborted."""

MAX_DIGITS = 18
"""Digits of a token count; Python refuses to read thousands of them."""

_PLAIN = _Message()


def _has_requested(response: _Response) -> bool:
    """Check whether a response has anything of `ON_REQUEST`; written out, since it runs for every chunk."""
    return not (
        response.metrics is None
        and response.prompt_token_ids is None
        and response.prompt_logprobs is None
        and response.prompt_text is None
        and response.kv_transfer_params is None
        and response.ec_transfer_params is None
    )


class ChunkReader:
    """Reads the chunks of one stream, or one whole response.

    Args:
        new_id: Returns an id, from a tool's name and the call's index, for a call that has none.

    Attributes:
        finished: The choices that have ended.
        aborted: The finish reason of a choice that the server aborted, None where it did not.
    """

    def __init__(self, new_id: Callable[[str, int], str]) -> None:
        self._new_id = new_id
        self._head: dict[str, Any] = {}
        self._id: str | None = None
        self._calls: dict[int, CallReader] = {}
        self.finished: set[int] = set()
        self.aborted: str | None = None

    def read(self, data: bytes, deltas: list[Delta]) -> None:
        """Read one chunk, or one whole response.

        Args:
            data: Its JSON text.
            deltas: A list to append to, in the model's order: reasoning, text, calls, end.

        Raises:
            ServerError: It is an error object.
            ProtocolError: It is not JSON, or does not conform to the API.
        """
        try:
            response = _DECODE(data)
        except msgspec.ValidationError as error:
            raise ProtocolError(
                f"the server's answer is not a chat completion: {error}; check that base_url is a vLLM server"
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(
                f"the server's answer is not JSON: {error}; a proxy may have changed it", code="invalid_json"
            ) from None
        if response.error is not None or response.object == "error":
            raise ServerError(msgspec.json.decode(data))
        if response.id != self._id or response.system_fingerprint is not None or not self._head:
            self._read_head(response, deltas)
        if _has_requested(response):
            given = ((name, getattr(response, name)) for name in ON_REQUEST)
            deltas.extend(Metadata({name: value}) for name, value in given if value is not None)
        for choice in response.choices or ():
            self._read_choice(choice, deltas)
        if response.usage is not None:
            deltas.append(UsageReport(read_usage(response.usage)))

    def _read_head(self, response: _Response, deltas: list[Delta]) -> None:
        known = self._head
        if not known:
            self._id = response.id
            self._head = known = {name: value for name in OPENING if (value := getattr(response, name)) is not None}
            if known:
                deltas.append(Metadata(dict(known)))
        elif response.id != known.get("id") and response.id and "id" in known:
            raise ProtocolError(
                "the stream's response id changed: a proxy may have mixed up two answers", code="crossed_streams"
            )
        elif response.system_fingerprint is not None and "system_fingerprint" not in known:
            known["system_fingerprint"] = response.system_fingerprint
            deltas.append(Metadata({"system_fingerprint": response.system_fingerprint}))

    def _read_choice(self, choice: _Choice, deltas: list[Delta]) -> None:
        index = choice.index
        message = choice.delta or choice.message or _PLAIN
        reasoning = message.reasoning or message.reasoning_content
        if reasoning:
            deltas.append(ReasoningDelta(reasoning, index))
        if message.content:
            if isinstance(message.content, str):
                deltas.append(TextDelta(message.content, index))
            else:
                deltas += _parts(message.content, index)
        elif choice.text:
            deltas.append(TextDelta(choice.text, index))
        if message.refusal:
            deltas.append(TextDelta(message.refusal, index))
            deltas.append(Metadata({"refused": True}, index))
        if message.tool_calls or message.function_call is not None:
            fragments = message.tool_calls or [message.function_call or CallFragment()]
            self._calls.setdefault(index, CallReader(index, self._new_id)).read(fragments, deltas)
        if choice.logprobs is not None and choice.logprobs.content:
            deltas.append(Logprobs(choice.logprobs.content, index))
        if choice.token_ids is not None:
            deltas.append(Metadata({"token_ids": choice.token_ids}, index))
        if choice.finish_reason is not None and index not in self.finished:
            if index in self._calls:
                self._calls[index].finish(deltas)
            self.finished.add(index)
            if choice.finish_reason in CUT:
                self.aborted = choice.finish_reason
            deltas.append(Finish(choice.finish_reason, choice.stop_reason, index))


def _parts(parts: list[Any], choice: int) -> list[Delta]:
    """Read content parts: strings and objects with a text are the text, everything else goes into the metadata."""
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    text = "".join(text for text in texts if isinstance(text, str))
    others = [part for part, text in zip(parts, texts, strict=True) if not isinstance(text, str)]
    deltas: list[Delta] = [TextDelta(text, choice)] if text else []
    return [*deltas, Metadata({"non_text_parts": others}, choice)] if others else deltas


def read_usage(usage: dict[str, Any]) -> Usage:
    """Read token counts in OpenAI's, Anthropic's or Ollama's names, numbers or digits.

    Args:
        usage: The server's usage object.

    Returns:
        The counts; what the server does not report is None, or 0 for the required counts.
    """
    counts = _counts(usage)
    before = _counts(usage.get("prompt_tokens_details"))
    after = _counts(usage.get("completion_tokens_details"))
    prompt = counts.get("prompt_tokens", counts.get("input_tokens", counts.get("prompt_eval_count", 0)))
    completion = counts.get("completion_tokens", counts.get("output_tokens", counts.get("eval_count", 0)))
    cached = counts.get("cache_read_input_tokens", counts.get("cached_tokens"))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=counts.get("total_tokens") or prompt + completion,
        cached_tokens=before.get("cached_tokens", cached),
        cache_creation_tokens=before.get("created_cache_tokens", counts.get("cache_creation_input_tokens")),
        reasoning_tokens=after.get("reasoning_tokens", counts.get("reasoning_tokens")),
    )


def _counts(where: Any) -> dict[str, int]:
    """Read the members that are numbers, or strings of digits."""
    if not isinstance(where, dict):
        return {}
    return {name: int(value) for name, value in where.items() if isinstance(value, int | float) or _is_count(value)}


def _is_count(value: Any) -> bool:
    return isinstance(value, str) and value.isdecimal() and len(value) <= MAX_DIGITS
