r"""Muse Glimmer: messages to recipients, and calls in ATEM.

`<|start|>assistant to=self<|message|>thinking<|eom|>`, `<|start|>assistant to=tool.f<|message|><atem:function_calls>`
`<atem:invoke name="tool.f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls><|eom|>` and
`<|start|>assistant to=user<|message|>answer<|eot|>`. The first header may lack its beginning, a message to nobody is the
answer's, and a bare name may stand twice, `f.f`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.atem import CALLS, ENDS, atem_calls, is_addressed
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

HEADER, BARE = "<|start|>assistant to=", "<|start|>assistant<|message|>"


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    if opener == CALLS:
        return (yield from atem_calls(scanner, opener, tools))
    if opener == BARE:
        scanner.accept()
        return False
    recipient, mark = yield from scanner.up_to("<|message|>", limit=MAX_NAME)
    if not mark or not is_addressed(recipient.strip(), tools):
        return False
    scanner.accept()
    if recipient.strip() == "self":
        yield from scanner.until(ENDS, scanner.reasoning)
    return False


FORMAT = Format(
    names=("muse_glimmer",),
    openers=(CALLS, HEADER, BARE, " to="),
    block=_block,
    noise=ENDS,
)
