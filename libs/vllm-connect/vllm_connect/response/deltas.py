"""The values that every answer consists of.

A server's bytes become a list of deltas, a parser turns deltas into deltas, and an answer is their fold.
`{"delta": {"content": "Hel"}}` is `TextDelta("Hel")`; a whole message is the same deltas in larger pieces.
Field names follow vLLM's chat completion stream (openai/chat_completion/protocol.py, 0.32.0).
"""

from typing import Any, TypeAlias

from msgspec import Struct

__all__ = [
    "COMPLETE",
    "Delta",
    "Finish",
    "Logprobs",
    "Metadata",
    "ReasoningDelta",
    "TextDelta",
    "ToolCallDelta",
    "Usage",
    "UsageReport",
]


class TextDelta(Struct, frozen=True, gc=False):
    """A piece of the answer's text.

    Attributes:
        text: The piece, never empty.
        choice: Which of the `n` answers it belongs to.
        replaces: Whether it replaces all text and reasoning of the choice before it, since only now it is known that all
            of it was the answer.
    """

    text: str
    choice: int = 0
    replaces: bool = False


class ReasoningDelta(Struct, frozen=True, gc=False):
    """A piece of the model's reasoning, which precedes or interleaves the answer.

    Attributes:
        text: The piece, never empty.
        choice: Which of the `n` answers it belongs to.
        replaces: Whether it replaces all text and reasoning of the choice before it, since only now it is known that all
            of it was reasoning.
    """

    text: str
    choice: int = 0
    replaces: bool = False


class ToolCallDelta(Struct, frozen=True, gc=False):
    """A piece of one tool call.

    The first delta of a call carries its name and id; the later ones carry arguments only.

    Attributes:
        index: The call's position in its message, from 0, without gaps.
        id: The call's id, on its first delta.
        name: The tool's name, whole, on its first delta.
        arguments: A verbatim piece of the arguments' JSON text, possibly empty.
        choice: Which of the `n` answers it belongs to.
        ended: Whether the call's own end was seen in the text; a call that stays at False is incomplete. None where that
            cannot be known, as in a server's stream.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0
    ended: bool | None = None


COMPLETE = frozenset({"stop", "tool_calls"})
"""Finish reasons of an answer that was not truncated."""


class Finish(Struct, frozen=True, gc=False):
    """The end of one answer.

    Attributes:
        reason: `stop`, `length`, `tool_calls`, `abort`, `repetition`, or what a later server may add.
        stop_reason: The stop string or token id that matched, None for the end token.
        choice: Which of the `n` answers ended.
    """

    reason: str
    stop_reason: str | int | None = None
    choice: int = 0


class Usage(Struct, frozen=True, gc=False):
    """Token counts of one request, as the server reports them.

    Attributes:
        prompt_tokens: Tokens of the rendered prompt.
        completion_tokens: Tokens generated, over all choices, reasoning included.
        total_tokens: Their sum.
        cached_tokens: Prompt tokens from the prefix cache; None where the server does not report them.
        cache_creation_tokens: Prompt tokens added to the cache; None where not reported.
        reasoning_tokens: Generated tokens that were reasoning; None where not reported.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """Add the counts of two requests; what neither of them reports stays None."""

        def add(a: int | None, b: int | None) -> int | None:
            return None if a is None and b is None else (a or 0) + (b or 0)

        return Usage(*(add(getattr(self, name), getattr(other, name)) for name in Usage.__struct_fields__))  # type: ignore[arg-type] # only those that may be None are

    def named(self) -> dict[str, int]:
        """Return the counts by the server's names; those that are not reported are left out."""
        counts = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }
        if self.cached_tokens is not None:
            counts["cached_tokens"] = self.cached_tokens
        if self.reasoning_tokens is not None:
            counts["reasoning_tokens"] = self.reasoning_tokens
        return counts


class UsageReport(Struct, frozen=True, gc=False):
    """The usage of the whole request so far; the last report is the one that counts.

    Attributes:
        usage: The counts.
        choice: The choice that the report is about, where the server reports each separately.
    """

    usage: Usage
    choice: int = 0


class Logprobs(Struct, frozen=True):
    """Log probabilities of generated tokens, in the server's own shape.

    Attributes:
        tokens: One `{"token", "logprob", "bytes", "top_logprobs"}` for each token, in order.
        choice: Which of the `n` answers they belong to.
    """

    tokens: list[dict[str, Any]]
    choice: int = 0


class Metadata(Struct, frozen=True):
    """What the server or this client adds to an answer.

    Later values replace earlier ones of the same name, but for the lists in `vllm_connect.response.metadata.GROWING`.

    Attributes:
        values: The values by name; `vllm_connect.response.metadata` lists the names.
        choice: The choice it is about, None for the whole response.
    """

    values: dict[str, Any]
    choice: int | None = None


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta | Finish | UsageReport | Logprobs | Metadata
