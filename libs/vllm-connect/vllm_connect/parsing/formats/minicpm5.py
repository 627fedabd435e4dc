"""MiniCPM 5: `<function name="f"><param name="k">v</param></function>`, repeated.

A value that contains markup stands between `<![CDATA[` and `]]>`. The space in the tags may be missing, or be the `Ġ` of the
tokenizer.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

_calls = {
    f"<function{space}name=": TagCalls(
        f"<function{space}name=", "</function>", f"<param{space}name=", "</param>", raw=("<![CDATA[", "]]>")
    )
    for space in (" ", "", "Ġ")
}


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    return (yield from _calls[marker](scanner, marker, tools))


FORMAT = Format(names=("minicpm5",), start_markers=tuple(_calls), block=_block)
