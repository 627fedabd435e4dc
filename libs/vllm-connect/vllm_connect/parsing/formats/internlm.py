r"""InternLM 2.5: `<|action_start|><|plugin|>\n{"name": "f", "parameters": {"x": 1}}<|action_end|>`, one call."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_objects

FORMAT = Format(
    names=("internlm",),
    start_markers=("<|action_start|>",),
    block=json_objects("<|action_end|>", before=("<|plugin|>", "<|interpreter|>")),
    forced=CallMarkup('<|action_start|><|plugin|>\n{"name": "{name}", "parameters": ', "}<|action_end|>"),
)
