r"""ATEM, in which the Muse family writes calls, and to whom its messages are addressed.

`<atem:function_calls><atem:invoke name="f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls>`
stands in a message to the tool, `<|start|>assistant to=f<|message|>`. A bare name may stand twice, `f.f`.
Source: the muse and muse_glimmer parsers of vLLM 0.33.0.
"""

from vllm_connect.parsing.grammars.header_calls import is_name
from vllm_connect.parsing.grammars.tag_calls import TagCalls
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["CALLS", "ENDS", "atem_calls", "is_addressed"]

CALLS = "<atem:function_calls>"
ENDS = ("<|eom|>", "<|eot|>")

PEOPLE = frozenset({"", "self", "user", "commentary", "developer"})
"""Recipients that are no tools."""

atem_calls = TagCalls(
    "<atem:invoke name=",
    "</atem:invoke>",
    "<atem:parameter name=",
    "</atem:parameter>",
    block_ends=("</atem:function_calls>",),
    doubled=True,
)


def is_addressed(recipient: str, tools: Tools) -> bool:
    """Tell whether a header is one: to somebody there is, or to a tool of the request."""
    if recipient in PEOPLE:
        return True
    if not is_name(recipient):
        return False
    return (
        tools.declares(recipient)
        or tools.declares(recipient.rpartition(".")[2])
        or tools.declares(recipient.partition(".")[0])
    )
