r"""The server's tokenizer: /tokenize and /detokenize.

    POST /tokenize {"prompt": "Hello"}              -> {"count": 1, "max_model_len": 4096, "tokens": [9707]}
    POST /tokenize {"messages": [...], "tools": []} -> the same, of the rendered prompt
    POST /detokenize {"tokens": [9707]}             -> {"prompt": "Hello"}

Source: serve/tokenize/protocol.py of vLLM 0.32.0.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from vllm_connect.errors import ProtocolError
from vllm_connect.protocol.http_request import HttpRequest, json_post
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.field_facts import fields_where

__all__ = ["detokenize_request", "read_member", "tokenize_chat_request", "tokenize_request"]

T = TypeVar("T")

TOKENIZE, DETOKENIZE = "/tokenize", "/detokenize"
PROMPT_FIELDS = fields_where(ChatRequest, lambda facts: facts.prompt == "field")
TEMPLATE_KWARGS = fields_where(ChatRequest, lambda facts: facts.prompt == "template_kwarg")


def tokenize_request(text: str, model: str | None) -> HttpRequest:
    """Build the request for the token ids of a text."""
    return json_post(TOKENIZE, _given({"model": model, "prompt": text, "add_special_tokens": False}))


def detokenize_request(tokens: list[int], model: str | None) -> HttpRequest:
    """Build the request for the text of token ids."""
    return json_post(DETOKENIZE, _given({"model": model, "tokens": tokens}))


def tokenize_chat_request(body: Mapping[str, Any]) -> HttpRequest:
    """Build the request for the token ids of a chat's rendered prompt.

    Args:
        body: The chat body.
    """
    sent = {name: value for name, value in body.items() if name in PROMPT_FIELDS and value is not None}
    kwargs = {name: value for name, value in body.items() if name in TEMPLATE_KWARGS and value is not None}
    if kwargs:
        sent["chat_template_kwargs"] = {**kwargs, **(sent.get("chat_template_kwargs") or {})}
    return json_post(TOKENIZE, sent)


def read_member(body: bytes, name: str, kind: type[T]) -> T:
    """Read one member of a JSON object.

    Args:
        body: The object's JSON text.
        name: The member's name.
        kind: The member's type.

    Raises:
        ProtocolError: It is missing, or of another type.
    """
    try:
        return msgspec.convert(msgspec.json.decode(body, type=dict[str, Any]).get(name), kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProtocolError(
            f"the server's answer has no usable {name!r}: {error}; check that base_url is a vLLM server"
        ) from None


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
