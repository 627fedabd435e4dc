r"""Jamba 1.5: `<tool_calls>[\n    {"name": "f", "arguments": {"x": 1}}\n]</tool_calls>`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_array

FORMAT = Format(names=("jamba",), openers=("<tool_calls>",), block=json_array("</tool_calls>"))
