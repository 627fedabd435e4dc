r"""Checkpoints that bring a response template of their own; those that say how they write calls write as Hermes does."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(names=("hf", "beam"), openers=("<tool_call>",), block=json_objects("</tool_call>"))
