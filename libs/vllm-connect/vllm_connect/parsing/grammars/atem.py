r"""ATEM, the markup of the Muse family's calls, and the recipients that its messages are addressed to.

`<atem:function_calls><atem:invoke name="f"><atem:parameter name="k">v</atem:parameter></atem:invoke></atem:function_calls>`
is part of a message to the tool, `<|start|>assistant to=f<|message|>`. A name may be doubled, `f.f`.
Source: the muse and muse_glimmer parsers of vLLM 0.33.0.
"""

from vllm_connect.parsing.grammars.header_calls import is_name
from vllm_connect.parsing.grammars.tag_calls import TagCalls
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["CALLS", "ENDS", "atem_calls", "is_addressed"]

CALLS = "<atem:function_calls>"
ENDS = ("<|eom|>", "<|eot|>")

ROLES = frozenset({"", "self", "user", "commentary", "developer"})
"""Recipients that are not tools."""

atem_calls = TagCalls(
    "<atem:invoke name=",
    "</atem:invoke>",
    "<atem:parameter name=",
    "</atem:parameter>",
    block_ends=("</atem:function_calls>",),
    doubled_names=True,
)


def is_addressed(recipient: str, tools: Tools) -> bool:
    """Check whether a header is addressed to a known role, or to a tool of the request."""
    if recipient in ROLES:
        return True
    if not is_name(recipient):
        return False
    return (
        tools.declares(recipient)
        or tools.declares(recipient.rpartition(".")[2])
        or tools.declares(recipient.partition(".")[0])
    )
