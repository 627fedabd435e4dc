r"""GLM 4.5 to 5: `<tool_call>f\n<arg_key>k</arg_key>\n<arg_value>v</arg_value>\n</tool_call>`, from 4.7 on without line ends."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.pair_calls import PairCalls

FORMAT = Format(names=("glm45", "glm47"), openers=("<tool_call>",), block=PairCalls())
