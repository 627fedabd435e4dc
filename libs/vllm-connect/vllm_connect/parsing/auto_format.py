"""A format for models of which nothing is known: whatever is opened by an unmistakable marker.

Several families share an opener. `<tool_call>` is followed by a brace (Hermes), a bracket (Granite 3.1), a tag (Qwen 3
Coder) or a name (GLM), so what comes next decides.
"""

from functools import lru_cache

from vllm_connect.parsing.format import Format, find_format, format_names
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["sniffing_format"]

BY_NEXT = {
    "<tool_call>": {"{": "hermes", "[": "granite", "<": "qwen3_coder", "": "glm45"},
    "<tool_calls>": {"[": "jamba", "{": "jamba", "<": "hy_v3", "": "jamba"},
}
"""The format by the character that follows an opener, white space aside; the empty one is any other."""

PREFERRED = ("deepseek_v3", "kimi_k2", "deepseek_v4", "qwen3_coder")
"""Which format has an opener that several share and nothing tells apart."""


@lru_cache(maxsize=1)
def sniffing_format() -> Format:
    """Build the format, once, when it is first needed."""
    by_opener: dict[str, Format] = {}
    for name in (*PREFERRED, *format_names()):
        format_ = find_format(name)
        if format_.unmistakable:
            for opener in format_.openers:
                by_opener.setdefault(opener, format_)
    openers = tuple(word for word in by_opener if not any(word != o and word.startswith(o) for o in by_opener))

    harmony = find_format("openai")
    channels = tuple(word for word in harmony.openers if word.startswith("<|channel|>"))

    def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
        if opener == "<|start|>assistant" and (channel := (yield from scanner.find(*channels))):
            return (yield from harmony.block(scanner, channel, tools))
        choices = BY_NEXT.get(opener)
        if choices is None:
            return (yield from by_opener[opener].block(scanner, opener, tools))
        yield from scanner.space()
        following = yield from scanner.peek()
        chosen = find_format(choices.get(following, choices[""]))
        return (yield from chosen.block(scanner, opener, tools))

    return Format(names=("auto",), openers=openers, block=block, forced=find_format("hermes").forced)
