r"""GigaChat 3: `<|function_call|>{"name": "f", "arguments": {"x": 1}}`, one call.

Also after the text as a message of its own: `text<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": ...}`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("gigachat3",),
    openers=("<|function_call|>", "function call<|role_sep|>"),
    block=json_objects("<|message_sep|>"),
    noise=("<|message_sep|>",),
)
