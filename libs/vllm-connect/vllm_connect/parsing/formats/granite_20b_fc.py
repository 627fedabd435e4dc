"""Granite 20B function calling: `<function_call> {"name": "f", "arguments": {"x": 1}}`, repeated, without a closer."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(names=("granite-20b-fc",), openers=("<function_call>",), block=json_objects())
