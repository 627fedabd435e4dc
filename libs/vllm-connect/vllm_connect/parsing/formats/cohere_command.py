"""Cohere Command A: `<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "f", "parameters": {}}]<|END_ACTION|>`."""

from functools import partial

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import call_object, json_array

FORMAT = Format(
    names=("cohere_command3", "cohere_command4"),
    start_markers=("<|START_ACTION|>",),
    block=json_array("<|END_ACTION|>", item=partial(call_object, names=frozenset({"tool_name", "name"}))),
    ignored_markers=(
        "<|START_RESPONSE|>",
        "<|END_RESPONSE|>",
        "<|START_TEXT|>",
        "<|END_TEXT|>",
        "<|CHATBOT_TOKEN|>",
        "<|END_OF_TURN_TOKEN|>",
    ),
    forced=CallMarkup(
        '{"tool_call_id": "{index}", "tool_name": "{name}", "parameters": ',
        "}",
        separator=",\n    ",
        before="<|START_ACTION|>[\n    ",
        after="\n]<|END_ACTION|>",
    ),
)
