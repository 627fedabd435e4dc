"""The parsers of the installed vLLM, run by its own interpreter: one JSON line in, one out.

`{"calls": "hermes", "text": "<tool_call>…", "tools": […], "vocabulary": ["<tool_call>"]}` gives
`{"calls": [["f", "{\\"x\\": 1}"]], "content": null}`, `{"reasoning": "qwen3", "text": "<think>…", "vocabulary": []}` gives
`{"reasoning": "…", "content": "…"}`, and either may give `{"error": "…"}`.
"""

import json
import logging
import sys
from typing import Any

from vllm.entrypoints.openai.chat_completion.protocol import (  # type: ignore[import-not-found] # in its own environment
    ChatCompletionRequest,
)
from vllm.reasoning import ReasoningParserManager  # type: ignore[import-not-found] # in its own environment
from vllm.tool_parsers import ToolParserManager  # type: ignore[import-not-found] # in its own environment

THOUGHTS = [
    *("<think>", "</think>", "<seed:think>", "</seed:think>", "<mm:think>", "</mm:think>", "[THINK]", "[/THINK]"),
    *("<|channel>", "<channel|>", "<|open|>", "<|close|>", "<|sep|>", "<|content_thinking|>", "<|end_message|>"),
    *("<ifm|think>", "</ifm|think>", "<assistant>", "[TOOL_CALLS]", "[ARGS]"),
    *("<tool_call>", "</tool_call>", "<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),
]
"""Markers that the reasoning parsers look up in the vocabulary."""


class Tokenizer:
    """A minimal tokenizer: one token for each marker, and one for every other character."""

    is_fast = True
    version = 13
    supports_grammar = False

    def __init__(self, markers: list[str]) -> None:
        self._markers = sorted(set(markers), key=len, reverse=True)
        self._vocab = {marker: 1_200_000 + i for i, marker in enumerate(self._markers)}
        self._text = {number: marker for marker, number in self._vocab.items()}
        self.all_special_tokens: list[str] = []
        self.added_tokens_encoder = dict(self._vocab)

    def get_vocab(self) -> dict[str, int]:
        return dict(self._vocab)

    @property
    def vocab(self) -> dict[str, int]:
        return self.get_vocab()

    def encode(self, text: str, **_: Any) -> list[int]:
        ids, at = [], 0
        while at < len(text):
            marker = next((one for one in self._markers if text.startswith(one, at)), None)
            ids.append(self._vocab[marker] if marker else ord(text[at]))
            at += len(marker) if marker else 1
        return ids

    def decode(self, ids: list[int] | int, **_: Any) -> str:
        return "".join(self._text.get(i) or chr(i) for i in ([ids] if isinstance(ids, int) else ids))

    def tokenize(self, text: str) -> list[str]:
        return [self.decode(i) for i in self.encode(text)]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        return self._vocab.get(tokens) if isinstance(tokens, str) else [self._vocab.get(t) for t in tokens]

    def convert_ids_to_tokens(self, ids: list[int], **_: Any) -> list[str]:
        return [self.decode(i) for i in ids]


def split(case: dict[str, Any]) -> dict[str, Any]:
    """Split one text the way the server does for a whole answer."""
    request = ChatCompletionRequest(model="m", messages=[{"role": "user", "content": "?"}])
    parser = ReasoningParserManager.get_reasoning_parser(case["reasoning"])(Tokenizer([*THOUGHTS, *case["vocabulary"]]))
    reasoning, content = parser.extract_reasoning(case["text"], request)
    return {"reasoning": reasoning, "content": content}


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """Parse one text the way the server does for a whole answer."""
    request = ChatCompletionRequest(model="m", messages=[{"role": "user", "content": "?"}], tools=case["tools"])
    parser = ToolParserManager.get_tool_parser(case["calls"])(Tokenizer(case["vocabulary"]), request.tools)
    parsed = parser.extract_tool_calls(case["text"], request)
    calls = [[call.function.name, call.function.arguments] for call in parsed.tool_calls]
    return {"calls": calls, "content": parsed.content}


def main() -> None:
    """Answer line by line; an exception of a parser is an answer too."""
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        case = json.loads(line)
        try:
            result = split(case) if "reasoning" in case else answer(case)
        except Exception as error:  # noqa: BLE001 - any exception of a parser is a result
            result = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(result), file=out, flush=True)


if __name__ == "__main__":
    main()
