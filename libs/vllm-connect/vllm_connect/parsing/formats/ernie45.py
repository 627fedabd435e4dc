r"""ERNIE 4.5: `<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>\n` as Hermes; text may stand in `<response>`."""

from dataclasses import replace

from vllm_connect.parsing.formats.hermes import FORMAT as HERMES

FORMAT = replace(HERMES, names=("ernie45",), ignored_markers=("<response>", "</response>"), rank=0)
