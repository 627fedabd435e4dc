r"""Hunyuan 3.

`<tool_calls>\n<tool_call>f<tool_sep>\n<arg_key>k</arg_key>\n<arg_value>v</arg_value>\n</tool_call>\n</tool_calls>`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.pair_calls import PairCalls

FORMAT = Format(
    names=("hy_v3", "hy_v4"),
    openers=("<tool_calls>",),
    block=PairCalls(name_end="<tool_sep>", block_ends=("</tool_calls>",)),
)
