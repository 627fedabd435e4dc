r"""The model's own text, past the server's parsers.

With `tool_choice="none"` some of a server's parsers delete a call from the content, and a wrong parser loses it in any
case. The token ids of the answer lead past every parser: `/detokenize` turns them into text.

    {"token_ids": [1400, 201, 1401, 2]}  ->  {"prompt": "<tool_call>\n</tool_call><|im_end|>"}

Source: the tool parsers and serve/tokenize/protocol.py of vLLM 0.32.0.
"""

from vllm_connect.protocol.stream import Filter
from vllm_connect.response.deltas import COMPLETE, Delta, Finish, Metadata, ReasoningDelta, TextDelta, ToolCallDelta

__all__ = ["TokenIdsFilter"]


class TokenIdsFilter:
    """Holds the text of a choice back until its token ids have been detokenized.

    Reasoning that the server splits off is passed on as it comes.

    Args:
        inner: Parses the text.
        keep_ids: Pass the token ids on to the caller too.
        stop: The request's stop strings.
        emitted_reasoning: Reasoning of the choice that the caller has from an earlier request; the same is not repeated.
    """

    def __init__(self, inner: Filter, *, keep_ids: bool, stop: tuple[str, ...], emitted_reasoning: str = "") -> None:
        self._emitted_reasoning = emitted_reasoning
        self._inner = inner
        self._keep_ids = keep_ids
        self._stop = stop
        self._ids: list[int] = []
        self._held: list[Delta] = []
        self._finish: Finish | None = None
        self._reasoning: list[Delta] = []
        self._server_reasoned = False

    def push(self, delta: Delta) -> list[Delta]:
        """Read one delta; see `Filter.push`."""
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
            self._server_reasoned = True
            if self._emitted_reasoning:
                self._reasoning.append(delta)
                return []
        return [delta]

    def finish(self) -> list[Delta]:
        """Return what was held back, as the server wrote it; nothing once it was detokenized."""
        held = [*self._new_reasoning(self._reasoning), *self._held]
        self._held, self._reasoning = [], []
        return held

    def tokens(self) -> list[int]:
        """Return the ids of the answer, without the one that ended it."""
        finish = self._finish
        by_token = finish is not None and finish.reason in COMPLETE and not isinstance(finish.stop_reason, str)
        return self._ids[:-1] if by_token else self._ids

    def detokenized(self, text: str) -> list[Delta]:
        """Parse the model's own text.

        Args:
            text: The text of `tokens()`.

        Returns:
            The rest of the choice's deltas, its end included.
        """
        reasoning, self._reasoning, self._held = self._reasoning, [], []
        stopped = self._finish.stop_reason if self._finish is not None else None
        if isinstance(stopped, str) and stopped in self._stop:
            text = text[: text.rfind(stopped)] if stopped in text else text
        deltas = self._inner.push(TextDelta(text)) if text else []
        if self._finish is not None:
            deltas.extend(self._inner.push(self._finish))
        deltas.extend(self._inner.finish())
        deltas = without_replaced(deltas)
        rest = [delta for delta in deltas if not isinstance(delta, ReasoningDelta)]
        if self._server_reasoned:
            return [*self._new_reasoning(reasoning), *rest]
        if self._emitted_reasoning:
            return [*self._new_reasoning([d for d in deltas if isinstance(d, ReasoningDelta)]), *rest]
        return deltas

    def _new_reasoning(self, reasoning: list[Delta]) -> list[Delta]:
        text = "".join(delta.text for delta in reasoning if isinstance(delta, ReasoningDelta))
        return [] if text.strip() == self._emitted_reasoning.strip() else reasoning


def without_replaced(deltas: list[Delta]) -> list[Delta]:
    """Return the deltas of a whole answer of one choice without those that a later one replaces."""
    last = max((at for at, delta in enumerate(deltas) if getattr(delta, "replaces", False)), default=0)
    return [d for at, d in enumerate(deltas) if at >= last or not isinstance(d, TextDelta | ReasoningDelta)]
