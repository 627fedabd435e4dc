"""Nemotron Nano v2 and Llama Nemotron: `<TOOLCALL>[{"name": "f", "arguments": {"x": 1}}]</TOOLCALL>`.

Source: the chat templates of nvidia/NVIDIA-Nemotron-Nano-9B-v2 and nvidia/Llama-3_3-Nemotron-Super-49B-v1_5.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_array

FORMAT = Format(
    names=("nemotron_json",),
    start_markers=("<TOOLCALL>",),
    block=json_array("</TOOLCALL>"),
    ignored_markers=("<SPECIAL_12>",),
    forced=CallMarkup(
        '{"name": "{name}", "arguments": ', "}", separator=", ", before="<TOOLCALL>[", after="]</TOOLCALL>"
    ),
)
