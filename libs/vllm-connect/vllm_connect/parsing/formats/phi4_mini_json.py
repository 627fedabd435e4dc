"""Phi-4 mini: `functools[{"name": "f", "arguments": {"x": 1}}]`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_array
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    scanner.back("[")
    return (yield from json_array()(scanner, opener, tools))


FORMAT = Format(names=("phi4_mini_json",), openers=("functools[",), block=_block)
