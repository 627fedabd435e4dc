r"""MiniMax M2.

`<minimax:tool_call>\n<invoke name="f">\n<parameter name="k">v</parameter>\n</invoke>\n</minimax:tool_call>`, several calls
in a block; the quotes may be missing, and white space in a value is the value's.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("minimax_m2",),
    openers=("<minimax:tool_call>",),
    block=TagCalls(
        "<invoke name=",
        "</invoke>",
        "<parameter name=",
        "</parameter>",
        block_ends=("</minimax:tool_call>",),
    ),
)
