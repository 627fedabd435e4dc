"""Granite 3: `<|tool_call|>[{"name": "f", "arguments": {"x": 1}}]`, from 3.1 on with `<tool_call>`; no closer."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_array

FORMAT = Format(names=("granite",), openers=("<|tool_call|>", "<tool_call>"), block=json_array("</tool_call>"))
