r"""Hermes 2 and 3, Qwen 2.5 and 3, QwQ, and many models tuned on them.

`<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>`, one block for each call.
Source: the chat templates of NousResearch/Hermes-3 and Qwen/Qwen3.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("hermes", "qwen3_json"),
    openers=("<tool_call>",),
    block=json_objects("</tool_call>"),
    forced=('<tool_call>\n{"name": "{name}", "arguments": ', "}\n</tool_call>"),
)
