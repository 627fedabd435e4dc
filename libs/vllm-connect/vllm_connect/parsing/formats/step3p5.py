r"""Step 3.5 and 5: `<tool_call>\n<function=f>\n<parameter=k>\nv\n</parameter>\n</function>\n</tool_call>`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("step3p5", "step5"),
    openers=("<tool_call>", "<function="),
    block=TagCalls(
        "<function=", "</function>", "<parameter=", "</parameter>", block_ends=("</tool_call>",), wrapped=True
    ),
)
