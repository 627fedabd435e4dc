r"""Laguna: `<tool_call>f\n<arg_key>k</arg_key>\n<arg_value>v</arg_value>\n</tool_call>`, as GLM 4.5 writes it."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.pair_calls import PairCalls

FORMAT = Format(names=("poolside_v1",), openers=("<tool_call>",), block=PairCalls())
