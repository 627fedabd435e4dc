r"""dots.llm: `<dots_function_call>\n<invoke name="f">\n<parameter name="k">v</parameter>\n</invoke>\n</dots_function_call>`.

The body may be JSON instead, `{"name": "f", "arguments": {"k": "v"}}` or a list of such objects.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.json_calls import json_array
from vllm_connect.parsing.grammars.tag_calls import TagCalls
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

START, END = "<dots_function_call>", "</dots_function_call>"

_tags = TagCalls("<invoke name=", "</invoke>", "<parameter name=", "</parameter>", block_ends=(END,))
_json = json_array(END)


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    yield from scanner.skip_whitespace()
    first = yield from scanner.peek()
    return (yield from (_json if first and first in "{[" else _tags)(scanner, marker, tools))


FORMAT = Format(
    names=("dots",),
    start_markers=(START,),
    block=_block,
    forced=CallMarkup(
        '<invoke name="{name}">\n',
        "</invoke>\n",
        separator="",
        before=f"{START}\n",
        after=END,
        style="minimax_xml",
    ),
)
