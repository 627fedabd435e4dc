"""LFM 2: `<|tool_call_start|>[f(city="Paris")]<|tool_call_end|>`, text after it."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.python_calls import python_list

FORMAT = Format(names=("lfm2",), start_markers=("<|tool_call_start|>",), block=python_list("<|tool_call_end|>"))
