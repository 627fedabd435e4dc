"""An answer from `/v1/completions`, where no parser is: the rendered prompt's token ids are continued.

    POST /tokenize {"messages": [...]}       -> {"tokens": [1, 2, 3], "max_model_len": 4096}
    POST /v1/completions {"prompt": [1, 2, 3], "max_tokens": 4093}

Source: serve/tokenize/protocol.py and openai/completion/protocol.py of vLLM 0.32.0.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.errors import ConfigurationError
from vllm_connect.protocol.http_request import HttpRequest, json_post
from vllm_connect.protocol.tokenize import read_member
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.field_facts import fields_where

__all__ = ["check_text_only", "completions_request"]

COMPLETIONS_PATH = "/v1/completions"
DONE = fields_where(ChatRequest, lambda facts: facts.completions == "done")
REFUSED = sorted(fields_where(ChatRequest, lambda facts: facts.completions == "refused"))


def check_text_only(request: ChatRequest, body: Mapping[str, Any]) -> None:
    """Check that a request can be answered by a text completion.

    Args:
        request: The request.
        body: Its chat body.

    Raises:
        ConfigurationError: It has a field or a part that `/v1/completions` does not accept; the message names it.
    """
    for name in REFUSED:
        if body.get(name) is not None:
            raise ConfigurationError(
                f'text_source="completions" does not support {name}: drop it, or use text_source="token_ids"'
            )
    for message in request.messages:
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") not in ("text", "refusal") for part in content):
            raise ConfigurationError(
                'text_source="completions" supports text only, and a message has media: use text_source="token_ids"'
            )


def completions_request(body: Mapping[str, Any], tokenized: bytes, *, streaming: bool) -> HttpRequest:
    """Build the request that continues a rendered prompt.

    Args:
        body: The chat body.
        tokenized: The body of the answer of `/tokenize`.
        streaming: Whether the answer is to be a stream.

    Raises:
        ProtocolError: The answer of `/tokenize` has no tokens.
    """
    window = read_member(tokenized, "max_model_len", object)
    tokens = read_member(tokenized, "tokens", list[int])
    sent = {name: value for name, value in body.items() if name not in DONE and value is not None}
    wanted = body.get("max_completion_tokens") or body.get("max_tokens")
    left = max(window - len(tokens), 1) if isinstance(window, int) else None
    limit = min(
        (n for n in (wanted, left) if n is not None), default=None
    )  # /v1/completions stops after 16 tokens else
    if limit:
        sent["max_tokens"] = limit
    return json_post(COMPLETIONS_PATH, {**sent, "prompt": tokens, "skip_special_tokens": False}, streaming=streaming)
