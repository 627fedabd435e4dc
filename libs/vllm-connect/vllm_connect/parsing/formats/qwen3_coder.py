r"""Qwen 3 Coder and Qwen 3.5.

`<tool_call>\n<function=f>\n<parameter=k>\nv\n</parameter>\n</function>\n</tool_call>`, a block for each call; the outer
tags may be missing.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("qwen3_coder", "qwen3_xml"),
    openers=("<tool_call>", "<function="),
    block=TagCalls(
        "<function=", "</function>", "<parameter=", "</parameter>", block_ends=("</tool_call>",), wrapped=True
    ),
)
