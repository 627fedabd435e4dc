r"""Step 3.

`<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="f"><steptml:parameter name="k">v`, then
`</steptml:parameter></steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("step3",),
    start_markers=("<｜tool_calls_begin｜>",),
    block=TagCalls(
        "<steptml:invoke name=",
        "</steptml:invoke>",
        "<steptml:parameter name=",
        "</steptml:parameter>",
        block_ends=("<｜tool_calls_end｜>",),
        before=("<｜tool_call_begin｜>", "function", "<｜tool_sep｜>"),
        after=("<｜tool_call_end｜>",),
    ),
)
