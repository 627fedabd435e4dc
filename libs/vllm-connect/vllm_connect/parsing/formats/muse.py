r"""Muse: messages to recipients, and calls in ATEM.

`<|start|>assistant to=self<|message|>thinking<|eom|>`, `<|start|>assistant to=f<|message|><atem:function_calls>`
`<atem:invoke name="f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls><|eom|>` and
`<|start|>assistant to=user<|message|>answer<|eot|>`. The first header may lack its beginning, a message without a recipient is
reasoning, and a name may be doubled, `f.f`. Source: the muse parsers of vLLM 0.33.0.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.atem import CALLS, ENDS, atem_calls, is_addressed
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

START, TO, BODY = "<|start|>assistant", " to=", "<|message|>"
UNSEEN = frozenset({"", "self", "developer"})
"""Recipients of messages that are not for the user."""


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    if marker == CALLS:
        return (yield from atem_calls(scanner, marker, tools))
    recipient = "" if marker == BODY else (yield from _recipient(scanner))
    while recipient is not None and is_addressed(recipient, tools):
        scanner.commit()
        if recipient not in UNSEEN:
            break
        if (yield from scanner.forward_until((*ENDS, START), scanner.emit_reasoning)) != START:
            break
        recipient = yield from _recipient(scanner)
    return False


def _recipient(scanner: Scanner) -> Reading[str | None]:
    """Read the rest of a header; return None if it is not one."""
    head, end = yield from scanner.read_until(BODY, limit=MAX_NAME)
    return head.strip().removeprefix("to=") if end else None


FORMAT = Format(
    names=("muse", "musespark1x"),
    start_markers=(CALLS, START, TO, BODY),
    block=_block,
    undetected=(BODY,),
    ignored_markers=ENDS,
)
