"""LongCat Flash: `<longcat_tool_call>{"name": "f", "arguments": {"x": 1}}</longcat_tool_call>`, a block for each call."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("longcat",),
    start_markers=("<longcat_tool_call>",),
    block=json_objects("</longcat_tool_call>"),
    forced=CallMarkup('<longcat_tool_call>{"name": "{name}", "arguments": ', "}</longcat_tool_call>"),
)
