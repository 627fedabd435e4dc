"""Hunyuan A13B: `<tool_calls>[{"name": "f", "arguments": {"x": 1}}]</tool_calls>`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_array

FORMAT = Format(names=("hunyuan_a13b",), openers=("<tool_calls>",), block=json_array("</tool_calls>"))
