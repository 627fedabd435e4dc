r"""Muse Glimmer: messages to recipients, and calls in ATEM.

`<|start|>assistant to=self<|message|>thinking<|eom|>`, `<|start|>assistant to=tool.f<|message|><atem:function_calls>`
`<atem:invoke name="tool.f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls><|eom|>` and
`<|start|>assistant to=user<|message|>answer<|eot|>`. The first header may lack its beginning, a message without a recipient
is the answer, and a name may be doubled, `f.f`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.atem import CALLS, ENDS, atem_calls, is_addressed
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

HEADER, BARE = "<|start|>assistant to=", "<|start|>assistant<|message|>"


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    if marker == CALLS:
        return (yield from atem_calls(scanner, marker, tools))
    if marker == BARE:
        scanner.commit()
        return False
    recipient, end = yield from scanner.read_until("<|message|>", limit=MAX_NAME)
    if not end or not is_addressed(recipient.strip(), tools):
        return False
    scanner.commit()
    if recipient.strip() == "self":
        yield from scanner.forward_until(ENDS, scanner.emit_reasoning)
    return False


FORMAT = Format(
    names=("muse_glimmer",),
    start_markers=(CALLS, HEADER, BARE, " to="),
    block=_block,
    ignored_markers=ENDS,
)
