r"""gpt-oss, in Harmony.

`<|channel|>analysis<|message|>thinking<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json`, then
`<|message|>{"x": 1}<|call|>`; the answer is in `<|channel|>final<|message|>`. Source: the Harmony response format.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import header_call
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

CONSTRAIN = "<|constrain|>"


def _read_header(header: str) -> tuple[str, str | None]:
    """Read `f <|constrain|>json`; anything else beside the name makes it invalid."""
    name, *kind = header.replace(CONSTRAIN, " ").split()[:3] or [""]
    return (name if all(part.isalnum() for part in kind) and len(kind) < 2 else ""), None  # noqa: PLR2004 - name and kind


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    del marker, tools
    if not (yield from header_call(scanner, ("<|message|>",), read_header=_read_header)):
        return False
    yield from scanner.accept("<|call|>", "<|end|>")
    return True


FORMAT = Format(
    names=("openai",),
    start_markers=("<|channel|>commentary to=functions.", "<|channel|>analysis to=functions.", " to=functions."),
    block=_block,
    ignored_markers=(
        "<|start|>assistant",
        "<|channel|>final<|message|>",
        "<|channel|>commentary<|message|>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
    ),
    forced=CallMarkup(
        "<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
        "<|call|>",
        separator="<|start|>assistant",
    ),
)
