"""Phi-4 mini: `functools[{"name": "f", "arguments": {"x": 1}}]`."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_array
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    scanner.unread("[")
    return (yield from json_array()(scanner, marker, tools))


FORMAT = Format(
    names=("phi4_mini_json",),
    start_markers=("functools[",),
    block=_block,
    forced=CallMarkup('{"name": "{name}", "arguments": ', "}", separator=", ", before="functools[", after="]"),
)
