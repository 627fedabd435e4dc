r"""Muse: messages to recipients, and calls in ATEM.

`<|start|>assistant to=self<|message|>thinking<|eom|>`, `<|start|>assistant to=f<|message|><atem:function_calls>`
`<atem:invoke name="f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls><|eom|>` and
`<|start|>assistant to=user<|message|>answer<|eot|>`. The first header may lack its beginning, a message to nobody is
reasoning, and a bare name may stand twice, `f.f`. Source: the muse parsers of vLLM 0.33.0.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.atem import CALLS, ENDS, atem_calls, is_addressed
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

START, TO, BODY = "<|start|>assistant", " to=", "<|message|>"
UNSEEN = frozenset({"", "self", "developer"})
"""Recipients of what is not meant for the user."""


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    if opener == CALLS:
        return (yield from atem_calls(scanner, opener, tools))
    recipient = "" if opener == BODY else (yield from _recipient(scanner))
    while recipient is not None and is_addressed(recipient, tools):
        scanner.accept()
        if recipient not in UNSEEN:
            break
        if (yield from scanner.until((*ENDS, START), scanner.reasoning)) != START:
            break
        recipient = yield from _recipient(scanner)
    return False


def _recipient(scanner: Scanner) -> Reading[str | None]:
    """Read the rest of a header; None where it is none."""
    head, mark = yield from scanner.up_to(BODY, limit=MAX_NAME)
    return head.strip().removeprefix("to=") if mark else None


FORMAT = Format(names=("muse", "musespark1x"), openers=(CALLS, START, TO, BODY), block=_block, noise=ENDS)
