r"""Muse Glimmer: messages to recipients, and calls in ATEM.

`<|start|>assistant to=self<|message|>thinking<|eom|>`, `<|start|>assistant to=tool.f<|message|><atem:function_calls>`
`<atem:invoke name="tool.f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls><|eom|>` and
`<|start|>assistant to=user<|message|>answer<|eot|>`. The first header may lack its beginning.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tag_calls import TagCalls
from vllm_connect.parsing.tools import Tools

CALLS, HEADER = "<atem:function_calls>", "<|start|>assistant to="

_calls = TagCalls(
    "<atem:invoke name=",
    "</atem:invoke>",
    "<atem:parameter name=",
    "</atem:parameter>",
    block_ends=("</atem:function_calls>",),
)


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    if opener == CALLS:
        return (yield from _calls(scanner, opener, tools))
    recipient, mark = yield from scanner.up_to("<|message|>", limit=MAX_NAME)
    if not mark:
        return False
    scanner.accept()
    if recipient.strip() == "self":
        yield from scanner.until(("<|eom|>", "<|eot|>"), scanner.reasoning)
    return False


FORMAT = Format(
    names=("muse_glimmer",),
    openers=(CALLS, HEADER, " to="),
    block=_block,
    noise=("<|eom|>", "<|eot|>"),
)
