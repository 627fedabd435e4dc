r"""Hunyuan 3.

`<tool_calls>\n<tool_call>f<tool_sep>\n<arg_key>k</arg_key>\n<arg_value>v</arg_value>\n</tool_call>\n</tool_calls>`.
Some checkpoints end the name of each tag with the same suffix, `<tool_calls:6124c78e>`.
"""

from functools import lru_cache

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.pair_calls import PairCalls
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

MAX_SUFFIX = 32


@lru_cache(maxsize=16)
def _calls(suffix: str) -> PairCalls:
    return PairCalls(
        call_start=f"<tool_call{suffix}>",
        call_end=f"</tool_call{suffix}>",
        name_end=f"<tool_sep{suffix}>",
        key_start=f"<arg_key{suffix}>",
        key_end=f"</arg_key{suffix}>",
        value_start=f"<arg_value{suffix}>",
        value_end=f"</arg_value{suffix}>",
        block_ends=(f"</tool_calls{suffix}>",),
    )


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    suffix = ""
    if marker.endswith(":"):
        name, end = yield from scanner.read_until(">", limit=MAX_SUFFIX)
        if not end or not name.isalnum():
            return False
        suffix = f":{name}"
    return (yield from _calls(suffix)(scanner, marker, tools))


FORMAT = Format(
    names=("hy_v3", "hy_v4"),
    start_markers=("<tool_calls>", "<tool_calls:"),
    block=_block,
    followed_by=("<",),
    forced=CallMarkup(
        "<tool_call>{name}<tool_sep>\n",
        "\n</tool_call>",
        before="<tool_calls>\n",
        after="\n</tool_calls>",
        style="glm_xml",
    ),
)
