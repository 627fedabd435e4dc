"""MiniCPM 5: `<function name="f"><param name="k">v</param></function>`, repeated.

A value with markup in it stands in `<![CDATA[` and `]]>`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls

FORMAT = Format(
    names=("minicpm5",),
    openers=("<function name=",),
    block=TagCalls("<function name=", "</function>", "<param name=", "</param>", raw=("<![CDATA[", "]]>")),
)
