"""xLAM 2: a bare array, `[{"name": "f", "arguments": {"x": 1}}]`."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_bare

FORMAT = Format(
    names=("xlam",),
    start_markers=("[",),
    block=json_bare(array=True),
    unambiguous=False,
    forced=CallMarkup('{"name": "{name}", "arguments": ', "}", separator=", ", before="[", after="]"),
)
