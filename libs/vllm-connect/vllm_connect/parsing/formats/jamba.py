r"""Jamba 1.5 and Hunyuan A13B: `<tool_calls>[\n    {"name": "f", "arguments": {"x": 1}}\n]</tool_calls>`."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_array

FORMAT = Format(
    names=("jamba", "hunyuan_a13b"),
    start_markers=("<tool_calls>",),
    block=json_array("</tool_calls>"),
    followed_by=("[", "{"),
    forced=CallMarkup(
        '{"name": "{name}", "arguments": ',
        "}",
        separator=",\n    ",
        before="<tool_calls>[\n    ",
        after="\n]</tool_calls>",
    ),
)
