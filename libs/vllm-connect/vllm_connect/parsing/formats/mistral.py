"""Mistral, in three notations.

`[TOOL_CALLS]f{"x": 1}[TOOL_CALLS]g{}` (tokenizer v11), `[TOOL_CALLS]f[ARGS]{"x": 1}` (v13), and before them
`[TOOL_CALLS] [{"name": "f", "arguments": {"x": 1}}]`. Ids are nine alphanumerics. Source: mistral-common.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.header_calls import header_call
from vllm_connect.parsing.grammars.json_calls import json_array
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

_array = json_array()


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    yield from scanner.skip_whitespace()
    first = yield from scanner.peek()
    if first and first in "[{":
        return (yield from _array(scanner, marker, tools))
    return (yield from header_call(scanner, ("[ARGS]", "{"), read_header=_read_header))


def _read_header(header: str) -> tuple[str, str | None]:
    name, _, call_id = header.strip().partition("[CALL_ID]")
    return name.strip(), call_id.strip() or None


def _call_id(name: str, index: int, random: str) -> str:
    del name, index
    return random[:9]


FORMAT = Format(
    names=("mistral",),
    start_markers=("[TOOL_CALLS]",),
    block=_block,
    forced=CallMarkup("[TOOL_CALLS]{name}[ARGS]", "", separator=""),
    call_id=_call_id,
)
