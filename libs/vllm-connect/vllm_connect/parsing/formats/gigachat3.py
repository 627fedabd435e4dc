r"""GigaChat 3: `<|function_call|>{"name": "f", "arguments": {"x": 1}}`, one call.

Or in its own message after the text: `text<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": ...}`.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("gigachat3",),
    start_markers=("<|function_call|>", "function call<|role_sep|>"),
    block=json_objects("<|message_sep|>"),
    ignored_markers=("<|message_sep|>",),
    forced=CallMarkup('<|function_call|>{"name": "{name}", "arguments": ', "}"),
)
