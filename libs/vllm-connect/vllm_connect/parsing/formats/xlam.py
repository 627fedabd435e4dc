"""xLAM 2: a bare array, `[{"name": "f", "arguments": {"x": 1}}]`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import json_bare

FORMAT = Format(names=("xlam",), openers=("[",), block=json_bare(array=True), unmistakable=False)
