r"""MiMo V2: `<tool_call>\n<function=f>\n<parameter=k>v</parameter>\n</function>\n</tool_call>`, values verbatim."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("mimo",),
    start_markers=("<tool_call>", "<function="),
    block=TagCalls("<function=", "</function>", "<parameter=", "</parameter>", block_ends=("</tool_call>",)),
    followed_by=("<",),
    forced=CallMarkup("<tool_call>\n<function={name}>\n", "\n</function>\n</tool_call>", style="qwen_xml"),
)
