"""Granite 20B function calling: `<function_call> {"name": "f", "arguments": {"x": 1}}`, repeated, without an end marker."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("granite-20b-fc",),
    start_markers=("<function_call>",),
    block=json_objects(),
    forced=CallMarkup('<function_call> {"name": "{name}", "arguments": ', "}"),
)
