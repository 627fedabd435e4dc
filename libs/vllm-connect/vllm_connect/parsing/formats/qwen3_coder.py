r"""Qwen 3 Coder, Qwen 3.5, and Step 3.5 and 5.

`<tool_call>\n<function=f>\n<parameter=k>\nv\n</parameter>\n</function>\n</tool_call>`, a block for each call; the outer
tags may be missing.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("qwen3_coder", "qwen3_xml", "step3p5", "step5"),
    start_markers=("<tool_call>", "<function="),
    block=TagCalls(
        "<function=", "</function>", "<parameter=", "</parameter>", block_ends=("</tool_call>",), wrapped=True
    ),
    followed_by=("<",),
    rank=1,
    forced=CallMarkup("<tool_call>\n<function={name}>\n", "\n</function>\n</tool_call>", style="qwen_xml"),
)
