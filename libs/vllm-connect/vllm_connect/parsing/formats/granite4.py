r"""Granite 4: `<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>`, as Hermes writes it."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(names=("granite4",), openers=("<tool_call>",), block=json_objects("</tool_call>"))
