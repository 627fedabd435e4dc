"""Llama 3.1 to 4: a bare object, `{"name": "f", "parameters": {"x": 1}}`, after `<|python_tag|>` or not, joined by `;`."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_bare

FORMAT = Format(
    names=("llama3_json", "llama4_json"),
    start_markers=("{",),
    block=json_bare(array=False),
    unambiguous=False,
    ignored_markers=("<|python_tag|>",),
    ignored_between=" \t\r\n;",
    forced=CallMarkup('{"name": "{name}", "parameters": ', "}", separator="; "),
)
