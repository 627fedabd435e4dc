r"""Seed OSS: `<seed:tool_call>\n<function=f>\n<parameter=k>\nv\n</parameter>\n</function>\n</seed:tool_call>`."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("seed_oss",),
    start_markers=("<seed:tool_call>",),
    block=TagCalls(
        "<function=", "</function>", "<parameter=", "</parameter>", block_ends=("</seed:tool_call>",), wrapped=True
    ),
    forced=CallMarkup("<seed:tool_call>\n<function={name}>\n", "\n</function>\n</seed:tool_call>", style="qwen_xml"),
)
