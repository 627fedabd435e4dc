r"""Solar Open.

`<|tool_call:start|>f\n<|tool_arg:start|>k<|tool_arg:value|>v<|tool_arg:end|>\n<|tool_call:end|>`. Source: the tests of a parser
that was proposed to vLLM for upstage/Solar-Open.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.pair_calls import PairCalls

FORMAT = Format(
    names=("solar_open2",),
    start_markers=("<|tool_call:start|>",),
    block=PairCalls(
        call_start="<|tool_call:start|>",
        call_end="<|tool_call:end|>",
        key_start="<|tool_arg:start|>",
        key_end="<|tool_arg:value|>",
        value_start="",
        value_end="<|tool_arg:end|>",
    ),
)
