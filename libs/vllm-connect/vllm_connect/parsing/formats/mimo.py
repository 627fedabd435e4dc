r"""MiMo V2: `<tool_call>\n<function=f>\n<parameter=k>v</parameter>\n</function>\n</tool_call>`, values verbatim."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("mimo",),
    openers=("<tool_call>", "<function="),
    block=TagCalls("<function=", "</function>", "<parameter=", "</parameter>", block_ends=("</tool_call>",)),
)
