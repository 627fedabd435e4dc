"""MiniCPM 5: `<function name="f"><param name="k">v</param></function>`, repeated.

A value that contains markup stands between `<![CDATA[` and `]]>`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("minicpm5",),
    start_markers=("<function name=",),
    block=TagCalls("<function name=", "</function>", "<param name=", "</param>", raw=("<![CDATA[", "]]>")),
)
