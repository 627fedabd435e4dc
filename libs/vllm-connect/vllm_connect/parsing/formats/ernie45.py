r"""ERNIE 4.5: `<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>\n`; text may stand in `<response>`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("ernie45",),
    openers=("<tool_call>",),
    block=json_objects("</tool_call>"),
    noise=("<response>", "</response>"),
)
