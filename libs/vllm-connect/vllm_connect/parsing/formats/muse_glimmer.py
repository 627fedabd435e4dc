r"""Muse Glimmer: messages to recipients, and calls in ATEM.

`<|start|>assistant to=self<|message|>thinking<|eom|>`, `<|start|>assistant to=tool.f<|message|><atem:function_calls>`
`<atem:invoke name="tool.f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls><|eom|>` and
`<|start|>assistant to=user<|message|>answer<|eot|>`. The first header may lack its beginning, a message to nobody is the
answer's, and a bare name may stand twice, `f.f`.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.scanner import MAX_NAME, Reading, Scanner
from vllm_connect.parsing.tag_calls import TagCalls
from vllm_connect.parsing.tools import Tools

CALLS, HEADER, BARE = "<atem:function_calls>", "<|start|>assistant to=", "<|start|>assistant<|message|>"

PEOPLE = frozenset({"", "self", "user", "commentary", "developer"})
"""Recipients that are no tools."""

_calls = TagCalls(
    "<atem:invoke name=",
    "</atem:invoke>",
    "<atem:parameter name=",
    "</atem:parameter>",
    block_ends=("</atem:function_calls>",),
    doubled=True,
)


def is_addressed(recipient: str, tools: Tools) -> bool:
    """Tell whether a header is one: to somebody there is, or to a tool of the request."""
    known = recipient in PEOPLE or tools.declares(recipient)
    return known or tools.declares(recipient.rpartition(".")[2]) or tools.declares(recipient.partition(".")[0])


def _block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    if opener == CALLS:
        return (yield from _calls(scanner, opener, tools))
    if opener == BARE:
        scanner.accept()
        return False
    recipient, mark = yield from scanner.up_to("<|message|>", limit=MAX_NAME)
    if not mark or not is_addressed(recipient.strip(), tools):
        return False
    scanner.accept()
    if recipient.strip() == "self":
        yield from scanner.until(("<|eom|>", "<|eot|>"), scanner.reasoning)
    return False


FORMAT = Format(
    names=("muse_glimmer",),
    openers=(CALLS, HEADER, BARE, " to="),
    block=_block,
    noise=("<|eom|>", "<|eot|>"),
)
