"""Apertus: `<|tools_prefix|>[{"f": {"x": 1}}, {"g": {}}]<|tools_suffix|>`, the name being the only key."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_array, named_object

FORMAT = Format(
    names=("apertus",),
    start_markers=("<|tools_prefix|>",),
    block=json_array("<|tools_suffix|>", item=named_object),
    forced=CallMarkup('{"{name}": ', "}", separator=", ", before="<|tools_prefix|>[", after="]<|tools_suffix|>"),
)
