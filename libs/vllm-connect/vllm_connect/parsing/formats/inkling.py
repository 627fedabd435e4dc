"""Inkling: `<|message_model|><|content_invoke_tool_json|>{"name": "f", "args": {"x": 1}}<|end_message|>`, repeated."""

from functools import partial

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import call_object, json_objects

FORMAT = Format(
    names=("inkling",),
    start_markers=("<|content_invoke_tool_json|>",),
    block=json_objects("<|end_message|>", item=partial(call_object, arguments=frozenset({"args", "arguments"}))),
    ignored_markers=("<|message_model|>", "<|content_text|>", "<|end_message|>"),
    forced=CallMarkup(
        '<|content_invoke_tool_json|>{"name": "{name}", "args": ', "}<|end_message|>", separator="<|message_model|>"
    ),
)
