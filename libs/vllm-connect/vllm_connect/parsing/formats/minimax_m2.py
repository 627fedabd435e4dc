r"""MiniMax M2.

`<minimax:tool_call>\n<invoke name="f">\n<parameter name="k">v</parameter>\n</invoke>\n</minimax:tool_call>`, several calls
in a block; the quotes may be missing, and whitespace in a value is the value's.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("minimax_m2",),
    start_markers=("<minimax:tool_call>",),
    block=TagCalls(
        "<invoke name=",
        "</invoke>",
        "<parameter name=",
        "</parameter>",
        block_ends=("</minimax:tool_call>",),
    ),
    ignored_markers=("[e~[",),
    forced=CallMarkup(
        '<invoke name="{name}">\n',
        "</invoke>\n",
        separator="",
        before="<minimax:tool_call>\n",
        after="</minimax:tool_call>",
        style="minimax_xml",
    ),
)
