r"""The model's own words, past parsers of the server's that eat them.

With `tool_choice="none"` some of a server's parsers delete a call from the content, and a wrong parser loses it in any
case. Two ways lead round every parser: the token ids of the answer, which `/detokenize` turns into text, and the prompt's
token ids from `/tokenize`, which `/v1/completions` continues without any parser:

    {"token_ids": [1400, 201, 1401, 2]}  ->  {"prompt": "<tool_call>\n</tool_call><|im_end|>"}

Source: the tool parsers, serve/tokenize/protocol.py and openai/completion/protocol.py of vLLM 0.32.0.
"""

from collections.abc import Mapping
from typing import Any

from vllm_connect.errors import ConfigurationError
from vllm_connect.protocol.stream import DeltaFilter
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.response.deltas import WHOLE, Delta, Finish, Metadata, ReasoningDelta, TextDelta, ToolCallDelta

__all__ = ["TokenIdsFilter", "completions_body", "prompt_body", "tokenize_body"]

OF_THE_PROMPT = (
    "model",
    "messages",
    "tools",
    "add_generation_prompt",
    "add_special_tokens",
    "chat_template",
    "chat_template_kwargs",
    "continue_final_message",
    "media_io_kwargs",
    "mm_processor_kwargs",
)
"""Fields of a chat body that /tokenize takes."""

CHAT_ONLY = frozenset({*OF_THE_PROMPT, "max_completion_tokens", "tool_choice", "reasoning_effort", "documents"}) - {
    "model"
}
"""Fields of a chat body that have done their part once the prompt is rendered."""

IMPOSSIBLE = ("echo", "include_reasoning", "logprobs", "return_prompt_text", "top_logprobs", "truncate_prompt_tokens")
"""Fields of a chat body that /v1/completions takes in another sense or not at all."""


class TokenIdsFilter:
    """Holds a choice's text back until its token ids have become the model's own words.

    Reasoning that the server splits off passes as it comes.

    Args:
        inner: What parses the words.
        keep_ids: Give the token ids to the caller too.
        stop: The request's stop strings.

    Attributes:
        heard: Reasoning of the choice that the caller has from an answer before this; the same is not told again.
    """

    def __init__(self, inner: DeltaFilter, *, keep_ids: bool, stop: tuple[str, ...]) -> None:
        self.heard = ""
        self._inner = inner
        self._keep_ids = keep_ids
        self._stop = stop
        self._ids: list[int] = []
        self._held: list[Delta] = []
        self._finish: Finish | None = None
        self._reasoning: list[Delta] = []
        self._reasoned = False

    def push(self, delta: Delta) -> list[Delta]:
        """Take one delta of the choice and give what can be said of it now."""
        if isinstance(delta, Metadata) and "token_ids" in delta.values:
            self._ids.extend(delta.values["token_ids"])
            return [delta] if self._keep_ids else []
        if isinstance(delta, TextDelta | ToolCallDelta):
            self._held.append(delta)
            return []
        if isinstance(delta, Finish):
            self._finish = delta
            return []
        if isinstance(delta, ReasoningDelta):
            self._reasoned = True
            if self.heard:
                self._reasoning.append(delta)
                return []
        return [delta]

    def close(self) -> list[Delta]:
        """Give what was held back, as the server had it."""
        held = [*self._new_reasoning(self._reasoning), *self._held]
        self._held, self._reasoning = [], []
        return held

    def tokens(self) -> list[int]:
        """Give the ids of the answer, without the one that ended it."""
        finish = self._finish
        by_token = finish is not None and finish.reason in WHOLE and not isinstance(finish.stop_reason, str)
        return self._ids[:-1] if by_token else self._ids

    def read(self, text: str) -> list[Delta]:
        """Take the model's own words.

        Args:
            text: What the token ids say.

        Returns:
            The rest of the choice's deltas, its end included.
        """
        self._held = []
        stopped = self._finish.stop_reason if self._finish is not None else None
        if isinstance(stopped, str) and stopped in self._stop:
            text = text[: text.rfind(stopped)] if stopped in text else text
        deltas = self._inner.push(TextDelta(text)) if text else []
        if self._finish is not None:
            deltas.extend(self._inner.push(self._finish))
        told = [delta for delta in deltas if not isinstance(delta, ReasoningDelta)]
        if self._reasoned:
            return [*self._new_reasoning(self._reasoning), *told]
        if self.heard:
            return [*self._new_reasoning([d for d in deltas if isinstance(d, ReasoningDelta)]), *told]
        return deltas

    def _new_reasoning(self, reasoning: list[Delta]) -> list[Delta]:
        text = "".join(delta.text for delta in reasoning if isinstance(delta, ReasoningDelta))
        return [] if text == self.heard else reasoning


def tokenize_body(request: ChatRequest, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make the body for /tokenize whose tokens /v1/completions continues.

    Args:
        request: What is asked.
        body: Its chat body.

    Raises:
        ConfigurationError: The request holds something that has no place in a text completion.
    """
    for name in IMPOSSIBLE:
        if body.get(name) is not None:
            raise ConfigurationError(
                f'text_source="completions" has no {name}: drop it, or take text_source="token_ids"'
            )
    for message in request.messages:
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") not in ("text", "refusal") for part in content):
            raise ConfigurationError(
                'text_source="completions" takes text only, and a message holds media: take text_source="token_ids"'
            )
    return prompt_body(body)


def prompt_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Make the body for /tokenize that renders the prompt of a chat.

    Args:
        body: The chat body.
    """
    sent = {name: body[name] for name in OF_THE_PROMPT if body.get(name) is not None}
    keys = {name: body[name] for name in ("reasoning_effort", "documents") if body.get(name) is not None}
    if keys:
        sent["chat_template_kwargs"] = {**keys, **(sent.get("chat_template_kwargs") or {})}
    return sent


def completions_body(body: Mapping[str, Any], tokens: list[int], window: int | None) -> dict[str, Any]:
    """Make the body for /v1/completions that continues a rendered prompt.

    Args:
        body: The chat body.
        tokens: The prompt.
        window: The context window in tokens, None if it is not known; /v1/completions stops after 16 tokens
            where nobody says how many there may be.
    """
    sent = {name: value for name, value in body.items() if name not in CHAT_ONLY}
    wanted = body.get("max_completion_tokens") or body.get("max_tokens")
    left = None if window is None else max(window - len(tokens), 1)
    limit = min((n for n in (wanted, left) if n is not None), default=None)
    return {**sent, "prompt": tokens, "skip_special_tokens": False, **({"max_tokens": limit} if limit else {})}
