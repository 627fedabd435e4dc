r"""Ling 3: `<tool_call>f<arg_key>k</arg_key><arg_value>v</arg_value></tool_call>`, as GLM 4.7 writes it."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.pair_calls import PairCalls

FORMAT = Format(names=("ling3",), openers=("<tool_call>",), block=PairCalls())
