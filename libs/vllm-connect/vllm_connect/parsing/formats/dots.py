r"""dots.llm: `<dots_function_call>\n<invoke name="f">\n<parameter name="k">v</parameter>\n</invoke>\n</dots_function_call>`."""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("dots",),
    start_markers=("<dots_function_call>",),
    block=TagCalls(
        "<invoke name=", "</invoke>", "<parameter name=", "</parameter>", block_ends=("</dots_function_call>",)
    ),
    forced=CallMarkup(
        '<invoke name="{name}">\n',
        "</invoke>\n",
        separator="",
        before="<dots_function_call>\n",
        after="</dots_function_call>",
        style="minimax_xml",
    ),
)
