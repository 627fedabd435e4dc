r"""GLM 4.5 to 5, Ling 3 and Laguna.

`<tool_call>f\n<arg_key>k</arg_key>\n<arg_value>v</arg_value>\n</tool_call>`,
from GLM 4.7 on and in Ling 3 without newlines.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.pair_calls import PairCalls

FORMAT = Format(
    names=("glm45", "glm47", "ling3", "poolside_v1"),
    start_markers=("<tool_call>",),
    block=PairCalls(),
    forced=CallMarkup("<tool_call>{name}\n", "\n</tool_call>", style="glm_xml"),
)
