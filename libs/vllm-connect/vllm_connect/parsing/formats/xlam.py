"""xLAM 2: a bare array, `[{"name": "f", "arguments": {"x": 1}}]`, after `[TOOL_CALLS]` or not."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_bare
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

_array = json_bare(array=True)


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    if (yield from scanner.accept("TOOL_CALLS]")):
        yield from scanner.skip_whitespace()
        if not (yield from scanner.accept(marker)):
            return False
    return (yield from _array(scanner, marker, tools))


FORMAT = Format(
    names=("xlam",),
    start_markers=("[",),
    block=_block,
    unambiguous=False,
    forced=CallMarkup('{"name": "{name}", "arguments": ', "}", separator=", ", before="[", after="]"),
)
