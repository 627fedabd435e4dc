"""Llama 3.1 to 4: a bare object, `{"name": "f", "parameters": {"x": 1}}`, after `<|python_tag|>` or not, joined by `;`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_bare

FORMAT = Format(
    names=("llama3_json", "llama4_json"),
    openers=("{",),
    block=json_bare(array=False),
    unmistakable=False,
    noise=("<|python_tag|>",),
    between=" \t\r\n;",
)
