"""Granite 3: `<|tool_call|>[{"name": "f", "arguments": {"x": 1}}]`, from 3.1 on with `<tool_call>`; no end marker."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_array

FORMAT = Format(
    names=("granite",),
    start_markers=("<|tool_call|>", "<tool_call>"),
    block=json_array("</tool_call>"),
    followed_by=("[",),
    forced=CallMarkup('{"name": "{name}", "arguments": ', "}", separator=", ", before="<|tool_call|>[", after="]"),
)
