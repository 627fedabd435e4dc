r"""Hermes 2 and 3, Qwen 2.5 and 3, QwQ, Granite 4, and many models tuned on them.

`<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>`, one block for each call.
Source: the chat templates of NousResearch/Hermes-3, Qwen/Qwen3 and ibm-granite/granite-4.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("hermes", "qwen3_json", "granite4"),
    start_markers=("<tool_call>",),
    block=json_objects("</tool_call>"),
    followed_by=("{",),
    rank=1,
    forced=CallMarkup('<tool_call>\n{"name": "{name}", "arguments": ', "}\n</tool_call>"),
)
